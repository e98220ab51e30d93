# SPDX-License-Identifier: Apache-2.0
"""Parameters of the connection to a server that runs the network, and what they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dens3r_ros.nodes.settings.rule import setting

if TYPE_CHECKING:
    from dens3r_ros.engines.remote.config import RemoteConfig


@dataclass(frozen=True)
class RemoteParameters:
    """How engine remote speaks with its server."""

    model_hash: str = setting("", "What the server's weights must be; empty takes any.")
    timeout: float = setting(
        2.0, "Seconds after which a call to the server has failed.", low=0.05, high=600.0
    )
    start_timeout: float = setting(
        60.0, "Seconds to wait for a server that is not there yet.", low=0.0, high=86400.0
    )
    image_format: str = setting(
        "jpeg", "How images travel; png loses nothing.", choices=("jpeg", "webp", "png")
    )
    image_quality: int = setting(90, "Of jpeg and webp.", low=1, high=100)
    map_precision: str = setting(
        "float16", "Of points; float32 is everything as it is.", choices=("float16", "float32")
    )
    detail_bits: int = setting(8, "Bits of confidence and normals, 8 or 16.", low=8, high=16)
    ca_file: str = setting("", "Whom TLS trusts, PEM; empty is whom the system trusts.")
    cert_file: str = setting("", "This robot's certificate, PEM, where the server asks for one.")
    key_file: str = setting("", "Its private key, PEM.")
    token_file: str = setting(
        "", "File whose text is sent as bearer token with every call; needs grpcs://."
    )


def remote_config(address: str, model: str, remote: RemoteParameters) -> RemoteConfig:
    """What the remote engine is told; ValueError with a sentence where that cannot be."""
    from dens3r_ros.engines.remote.config import RemoteConfig
    from dens3r_ros.engines.remote.packing import Packing

    return RemoteConfig(
        address=address,
        model=model,
        model_hash=remote.model_hash,
        timeout=remote.timeout,
        start_timeout=remote.start_timeout,
        image_format=remote.image_format,
        image_quality=remote.image_quality,
        packing=Packing(remote.map_precision, remote.detail_bits),
        ca_file=remote.ca_file,
        cert_file=remote.cert_file,
        key_file=remote.key_file,
        token_file=remote.token_file,
    )
