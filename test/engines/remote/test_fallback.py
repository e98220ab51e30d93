# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot whose server is away stands still though it asked for geometry, or takes
geometry's depth for the network's."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from networks import small_network
from open_inference_server import OpenInferenceServer

from dens3r_ros.engines.geometric.engine import GeometricEngine
from dens3r_ros.engines.loading import load_remote
from dens3r_ros.engines.protocol import DistantEngine, EngineAway, Outputs
from dens3r_ros.engines.remote.config import SERVED_AS, RemoteConfig
from dens3r_ros.engines.remote.engine import connect
from dens3r_ros.engines.remote.fallback import FallbackEngine
from dens3r_ros.engines.remote.health import LONGEST_PAUSE_S
from dens3r_ros.engines.serving.service import Service
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine


def test_geometry_helps_out(box_room, camera_pose) -> None:  # type: ignore[no-untyped-def]
    room = box_room([camera_pose(0.1 * n, 0, -2, 0) for n in range(2)])
    service = Service(TorchEngine(small_network(), TorchConfig("cpu", "fp32"), "small"))
    with OpenInferenceServer({SERVED_AS: service}) as server:
        remote = connect(RemoteConfig(server.address, timeout=20.0))
        engine = FallbackEngine(remote, GeometricEngine())
        assert isinstance(engine, DistantEngine)
        a, b = engine.encode([room[0], room[1]])
        known = engine.decode([(a, b)], Outputs("ab", "", ""))
        assert known.pixels_b_in_a is None and engine.decodings == 0
    found = engine.decode([(a, b)], Outputs("ab", "", ""))
    assert found.pixels_b_in_a is not None and engine.decodings == 1
    assert found.points_a.shape == known.points_a.shape
    assert "geometry helps out" in engine.trouble
    assert bool((found.confidence_a == 1).all()), "geometry's depth is not taken for the network's"
    with pytest.raises(EngineAway):
        engine.decode([(a, a)], Outputs("ab", "", ""))
    with OpenInferenceServer({SERVED_AS: service}, int(server.port)):
        time.sleep(LONGEST_PAUSE_S)
        again = engine.decode([(a, b)], Outputs("ab", "", ""))
    assert again.pixels_b_in_a is None and engine.decodings == 1, "the server takes over again"
    assert engine.trouble == ""


def test_it_is_there_without_being_asked_for() -> None:
    service = Service(TorchEngine(small_network(), TorchConfig("cpu", "fp32"), "small"))
    with OpenInferenceServer({SERVED_AS: service}) as server:
        config = RemoteConfig(server.address, timeout=20.0)
        assert isinstance(load_remote(config), FallbackEngine)
        assert not isinstance(load_remote(config, ""), FallbackEngine)
