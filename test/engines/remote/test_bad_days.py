# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's Triton behind a bad radio and full of other robots' calls: if this fails, a robot does
not get over what a fleet meets every day, or does not say what is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from proxy import Proxy, silence_is_told
from real_triton import NEEDS_TRITON

from dens3r_ros.engines.protocol import EngineAway, Features, Outputs
from dens3r_ros.engines.remote.config import RemoteConfig
from dens3r_ros.engines.remote.engine import RemoteEngine, connect
from dens3r_ros.engines.serving.own_server import OwnServer
from dens3r_ros.frame import Frame

pytestmark = NEEDS_TRITON
TRACKING = Outputs("ab", "a", "")
ROBOTS = 6


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """Answers one call at a time, and lets one wait."""
    with OwnServer(["--device", "cpu", "--queue", "1", "--batch", "1"]) as server:
        yield server


def view_of(client: RemoteEngine, seed: int) -> Features:
    image = np.random.default_rng(seed).integers(0, 256, (15, 20, 3), np.uint8)
    return client.encode([Frame(image.repeat(16, 0).repeat(16, 1), seed)])[0]


def answered(client: RemoteEngine, view: Features) -> bool:
    """Whether a pair is decoded within some seconds, however often it fails before."""
    for _ in range(400):
        try:
            return client.decode([(view, view)], TRACKING).points_a is not None
        except EngineAway:
            time.sleep(0.05)
    return False


def test_a_late_radio_and_a_lost_connection_are_got_over(server: OwnServer) -> None:
    with Proxy(server.port) as proxy:
        client = connect(RemoteConfig(proxy.address, timeout=5.0))
        view = view_of(client, 1)
        assert answered(client, view)
        proxy.delay = 0.2
        assert client.decode([(view, view)], TRACKING).points_a is not None
        proxy.delay = 0.0
        proxy.drop()
        assert answered(client, view)
        silence_is_told(proxy, client, view, TRACKING)
        assert answered(client, view)


def test_a_full_server_says_so_and_serves_all_in_the_end(server: OwnServer) -> None:
    robots = [connect(RemoteConfig(server.address, timeout=30.0)) for _ in range(ROBOTS)]
    views = [view_of(robot, 20 + n) for n, robot in enumerate(robots)]
    told: list[str] = []

    def press(robot: RemoteEngine, view: Features) -> None:
        for _ in range(5):
            try:
                robot.decode([(view, view)], TRACKING)
            except EngineAway as error:
                told.append(str(error))

    threads = [
        threading.Thread(target=press, args=pair) for pair in zip(robots, views, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any("has no room for more calls" in one for one in told), told
    assert all(answered(robot, view) for robot, view in zip(robots, views, strict=True))
