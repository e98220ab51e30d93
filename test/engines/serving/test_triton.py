# SPDX-License-Identifier: Apache-2.0
"""With NVIDIA's Triton itself, in a process of its own: if these fail, the small server of the
other tests lies about what robots meet."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_network
from typer.testing import CliRunner

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from real_triton import NEEDS_TRITON

from dens3r_ros.cli.main import app
from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import Engine, EngineAway, Outputs
from dens3r_ros.engines.remote.config import RemoteConfig
from dens3r_ros.engines.remote.engine import RemoteEngine, connect
from dens3r_ros.engines.remote.packing import Packing
from dens3r_ros.engines.serving.environment import environment_for, server_python
from dens3r_ros.engines.serving.own_server import OwnServer, free_port
from dens3r_ros.frame import Frame
from dens3r_ros.network import save_network

pytestmark = NEEDS_TRITON
ARGUMENTS = ["--device", "cpu", "--precision", "fp32"]
TRACKING = Outputs("ab", "a", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Started outside of the checkout, as people do."""
    server = OwnServer(ARGUMENTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("elsewhere"))
        server.start()
    yield server
    server.stop()


def robot(server: OwnServer, **settings: object) -> RemoteEngine:
    return connect(RemoteConfig(server.address, timeout=60.0, **settings))  # type: ignore[arg-type]


def frame(seed: int) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (15, 20, 3), np.uint8)
    return Frame(image.repeat(16, 0).repeat(16, 1), seed)


def test_without_loss_results_are_the_local_ones(server: OwnServer) -> None:
    there = robot(server, image_format="png", packing=Packing("float32"))
    here = load_engine("torch", "dens3r-tiny", "cpu", "fp32")
    found, expected = (
        engine.decode([tuple(engine.encode([frame(1), frame(2)]))], Outputs())  # type: ignore[list-item]
        for engine in (there, here)
    )
    for name, value in vars(expected).items():
        if value is not None:
            assert (getattr(found, name) - value).abs().max() <= 1e-5 * value.abs().max(), name


def test_an_exported_repository_answers_as_the_local_engine(tmp_path: Path) -> None:
    """What operators load into a Triton of their own."""
    pytest.importorskip("onnxscript", reason="the onnx extra is not installed")
    pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    weights, models = tmp_path / "small.safetensors", tmp_path / "models"
    save_network(small_network(shared_decoder=True), weights)
    command = ["export", "--model", str(weights), "--size", "320x240", "--triton", str(models)]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0, made.output
    here = load_engine("torch", str(weights), "cpu", "fp32", 320)
    with OwnServer(["--model", str(models)]) as server:
        there = robot(server, image_format="png", packing=Packing("float32"))
        assert there.info.model_hash == here.info.model_hash
        for pairs in ([(1, 2)], [(1, 2), (2, 3), (3, 3)]):
            check_equal(there, here, pairs)


def check_equal(there: Engine, here: Engine, pairs: list[tuple[int, int]]) -> None:
    found, expected = (
        engine.decode([tuple(engine.encode([frame(a), frame(b)])) for a, b in pairs], Outputs())  # type: ignore[misc]
        for engine in (there, here)
    )
    for name, value in vars(expected).items():
        if value is not None:
            assert (getattr(found, name) - value).abs().max() <= 1e-3 * value.abs().max(), name


def test_what_cannot_be_served_is_told_in_a_sentence(server: OwnServer, tmp_path: Path) -> None:
    for arguments, named in (
        (["--port", str(server.port)], f"cannot listen at 127.0.0.1:{server.port}"),
        (["--model", "mastr-512"], "mastr-512"),
        (["--model", str(tmp_path / "none.pth")], "none.pth"),
        (["--device", "cuda:7"], "cuda"),
    ):
        python = str(server_python())
        command = [python, "-m", "dens3r_ros.cli", "serve", "--port", str(free_port())]
        ended = subprocess.run(
            [*command, "--host", "127.0.0.1", *arguments],
            env=environment_for(Path(python)),
            capture_output=True,
            text=True,
        )
        said = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        assert ended.returncode == 2 and len(said) == 1 and named in said[0], ended.stderr


def test_robots_are_answered_together(server: OwnServer) -> None:
    robots = [robot(server) for _ in range(6)]
    views = [one.encode([frame(10 + n)])[0] for n, one in enumerate(robots)]

    def drive(n: int) -> None:
        for _ in range(4):
            robots[n].decode([(views[n], views[n])], TRACKING)

    threads = [threading.Thread(target=drive, args=(n,)) for n in range(len(robots))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(max(one.health.batches) for one in robots) > 1


def test_killed_and_started_again_it_is_used_again() -> None:
    with OwnServer(ARGUMENTS) as first:
        client = robot(first)
        a, b = client.encode([frame(1), frame(2)])
        before = client.decode([(a, b)], TRACKING)
        first.kill()
        with pytest.raises(EngineAway):
            client.decode([(a, b)], TRACKING)
        assert client.trouble
        with OwnServer(ARGUMENTS, first.port):
            for _ in range(600):
                try:
                    after = client.decode([(a, b)], TRACKING)
                    break
                except EngineAway:
                    time.sleep(0.05)
            assert torch.equal(after.points_a, before.points_a)  # type: ignore[arg-type]
            assert client.health.counted("again") == 2 and not client.trouble
