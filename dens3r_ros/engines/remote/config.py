# SPDX-License-Identifier: Apache-2.0
"""Where a server is, whom it must be, and how images and maps travel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dens3r_ros.engines.remote.packing import Packing
from dens3r_ros.engines.remote.pictures import FORMATS

_PLAIN, _SAFE = "grpc", "grpcs"
SERVED_AS = "dens3r"
"""Name that a server gives its model where nobody asks for another one."""


@dataclass(frozen=True)
class RemoteConfig:
    """A server of the open inference protocol and one of its models.

    address        grpc://host:port or grpc://host:port/NAME, where the server's name of the model
                   is not "dens3r"; grpcs:// for TLS
    model          which network that must be; empty takes any
    model_hash     what its weights must be; empty takes any
    timeout        seconds after which a call has failed
    start_timeout  seconds that the first answer may take, for servers that are just starting
    image_format   jpeg, webp or png, which has no loss
    image_quality  1 to 100 of jpeg and webp
    packing        how exactly maps come back
    ca_file        whom TLS trusts, PEM; empty is whom the system trusts
    cert_file, key_file  the client's own certificate, where the server asks for one
    token_file     a file whose text goes along with every call as `authorization: Bearer ...`
    """

    address: str
    model: str = ""
    model_hash: str = ""
    timeout: float = 2.0
    start_timeout: float = 30.0
    image_format: str = "jpeg"
    image_quality: int = 90
    packing: Packing = field(default_factory=Packing)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    token_file: str = ""

    def __post_init__(self) -> None:
        scheme, colon, target = self.address.partition("://")
        if scheme not in (_PLAIN, _SAFE) or not colon or ":" not in target or "@" in target:
            raise ValueError(
                f"engine.address is {_shown(self.address)!r}; it must be grpc://host:port,"
                " or grpcs://host:port for TLS"
            )
        if self.image_format not in FORMATS:
            raise ValueError(f"images travel as {', '.join(FORMATS)}, not as {self.image_format!r}")
        if self.token_file and not self.safe:
            raise ValueError(
                "a token is only sent through TLS, so that nobody reads it on the way: write"
                f" grpcs://{self.target}, or leave remote.token_file empty"
            )
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("remote.cert_file and remote.key_file belong together: give both")

    @property
    def safe(self) -> bool:
        """Whether the connection is encrypted."""
        return self.address.startswith(f"{_SAFE}://")

    @property
    def target(self) -> str:
        """host:port."""
        return self.address.partition("://")[2].partition("/")[0]

    @property
    def served_as(self) -> str:
        """The server's name of the model."""
        return self.address.partition("://")[2].partition("/")[2] or SERVED_AS


def _shown(address: str) -> str:
    """Without what somebody may have written before an @."""
    scheme, colon, rest = address.rpartition("://")
    return f"{scheme}{colon}{rest.rpartition('@')[2]}"


def read_secret(path: str, what: str) -> bytes:
    """A file's bytes; ValueError with a sentence that tells nothing of them."""
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ValueError(f"{what} {path} cannot be read: {error.strerror}") from error
