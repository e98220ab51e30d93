# SPDX-License-Identifier: Apache-2.0
"""With NVIDIA's Triton itself, in a process of its own: if these fail, the small server of the
other tests lies about what robots meet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import EngineAway, Outputs
from dens3r_ros.engines.remote.config import RemoteConfig
from dens3r_ros.engines.remote.engine import RemoteEngine, connect
from dens3r_ros.engines.remote.packing import Packing
from dens3r_ros.engines.serving.environment import server_python
from dens3r_ros.engines.serving.own_server import OwnServer
from dens3r_ros.frame import Frame

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        server_python() is None,
        reason="Triton is not installed: run make server, or name its"
        " environment by DENS3R_SERVER_VENV",
    ),
]
ARGUMENTS = ["--device", "cpu", "--precision", "fp32", "--wait", "50"]
TRACKING = Outputs("ab", "a", "")


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with OwnServer(ARGUMENTS) as server:
        yield server


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
