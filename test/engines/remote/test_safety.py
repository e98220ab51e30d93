# SPDX-License-Identifier: Apache-2.0
"""If these fail, a token travels in the clear or into a log, or anybody may be the server."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from networks import small_network
from open_inference_server import OpenInferenceServer

from dens3r_ros.engines.remote.config import SERVED_AS, RemoteConfig
from dens3r_ros.engines.remote.engine import connect
from dens3r_ros.engines.serving.service import Service
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine

TOKEN = "swordfish-7"


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(TorchEngine(small_network(), TorchConfig("cpu", "fp32"), "small"))


def certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", str(key), "-out", str(cert)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return key, cert


def test_token_and_tls(service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key, cert = certificate(tmp_path)
    (tmp_path / "token").write_text(TOKEN + "\n")
    tls = key.read_bytes(), cert.read_bytes()
    with OpenInferenceServer({SERVED_AS: service}, token=TOKEN, tls=tls) as server:
        address = f"grpcs://localhost:{server.port}"
        files = {"ca_file": str(cert), "token_file": str(tmp_path / "token")}
        assert connect(RemoteConfig(address, start_timeout=5.0, **files)).info.model == "small"
        (tmp_path / "token").write_text("wrong")
        with pytest.raises(ValueError, match="does not take the token") as refused:
            connect(RemoteConfig(address, start_timeout=0.5, **files))
        with pytest.raises(ValueError, match="cannot be reached"):
            connect(RemoteConfig(address, start_timeout=0.5))
    told = caplog.text + str(refused.value)
    assert TOKEN not in told and "wrong" not in told


def test_tls_on_one_side_only_is_told(service: Service, tmp_path: Path) -> None:
    key, cert = certificate(tmp_path)
    with OpenInferenceServer({SERVED_AS: service}) as plain:
        address = f"grpcs://localhost:{plain.port}"
        with pytest.raises(ValueError, match="it speaks no TLS"):
            connect(RemoteConfig(address, start_timeout=0.5, ca_file=str(cert)))
    tls = key.read_bytes(), cert.read_bytes()
    safe = OpenInferenceServer({SERVED_AS: service}, tls=tls)
    with safe, pytest.raises(ValueError, match="may want TLS"):
        connect(RemoteConfig(safe.address, start_timeout=0.5))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"address": "http://host:8000"}, "it must be grpc://host:port"),
        ({"address": ""}, "it must be grpc://host:port"),
        ({"address": "grpc://host:8001", "token_file": "t"}, "only sent through TLS"),
        ({"address": "grpcs://host:8001", "cert_file": "c"}, "belong together"),
        ({"address": "grpc://host:8001", "image_format": "gif"}, "jpeg, webp, png"),
    ],
)
def test_what_cannot_work_is_told(settings: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        RemoteConfig(**settings)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(ValueError) as refused:
        RemoteConfig("grpc://me:swordfish@host:8001")
    assert "swordfish" not in str(refused.value)
