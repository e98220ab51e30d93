# SPDX-License-Identifier: Apache-2.0
"""If these fail, MV-DUSt3R's views are mixed up, or lie in another frame than their poses say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from room import CAMERA, frames, points_in, pose

from dens3r_ros.engines.family.mvdust3r import MvDust3rEngine, spread_references
from dens3r_ros.engines.protocol import Engine, Outputs, WindowEngine
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.network.descendants.mvdust3r import ViewPoints

CPU = TorchConfig("cpu", "fp32")


@pytest.fixture(params=["mvdust3r", "mvdust3r+"])
def engine(request: Any, small: Callable[[str], Any]) -> MvDust3rEngine:
    return MvDust3rEngine(small(request.param), CPU)


def test_it_keeps_both_contracts(engine: MvDust3rEngine) -> None:
    assert isinstance(engine, Engine) and isinstance(engine, WindowEngine)
    assert engine.info.views == 24 and engine.info.image_size == 64
    engine.warm_up()
    alone = engine.decode_window(engine.encode(frames(1)), Outputs())
    assert len(alone.views) == 1 and alone.views[0].points.shape == (64, 64, 3)
    with pytest.raises(ValueError, match="25 views"):
        engine.decode_window(engine.encode(frames(25)), Outputs())


def test_pairs_are_what_the_network_says_and_do_not_see_each_other(
    engine: MvDust3rEngine,
) -> None:
    a, b, c = engine.encode(frames(3))
    both = engine.decode([(a, b), (c, a)], Outputs())
    images = torch.cat([one.data.image for one in (c, a)])
    with torch.inference_mode():
        first, second = engine.network(images)
    assert torch.allclose(both.points_a[1], first.points[0], atol=1e-5)
    assert torch.allclose(both.points_b[1], second.points[0], atol=1e-5)
    assert torch.allclose(both.confidence_b[1], second.confidence[0], rtol=1e-4)


def test_references_lie_far_apart() -> None:
    assert spread_references(3) == [0, 1, 2]
    assert spread_references(5) == [0, 3, 2, 1, 4]
    assert spread_references(8) == [0, 3, 6, 1, 4, 5, 2, 7]
    assert spread_references(12)[:4] == [0, 4, 7, 10]
    assert sorted(spread_references(24)) == list(range(24))


@pytest.mark.parametrize("count", [2, 5, 9, 13])
@pytest.mark.parametrize("known", [True, False])
def test_views_lie_where_their_poses_say(
    engine: MvDust3rEngine, monkeypatch: pytest.MonkeyPatch, count: int, known: bool
) -> None:
    """Whatever the order in which the network was shown them."""

    def look(views: Any) -> list[ViewPoints]:
        first = np.linalg.inv(pose(0))
        seen = [points_in(first, pose(view[0].frame.stamp // 10)) for view in views]
        return [ViewPoints(one, torch.full(one.shape[:3], 3.0), None) for one in seen]  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_look", look)
    found = engine.decode_window(engine.encode(frames(count, known)), Outputs()).views
    for n, view in enumerate(found):
        T = np.linalg.inv(pose(0)) @ pose(n)
        assert np.allclose(view.T_first_view, T, atol=1e-3 if known else 0.05)
        own = points_in(np.linalg.inv(pose(n)), pose(n))[0]
        assert torch.allclose(view.points, own, atol=1e-2 if known else 0.1)
        assert view.intrinsics.fx == pytest.approx(CAMERA.fx, rel=0.01)


def test_points_that_no_camera_could_see_are_not_believed(
    engine: MvDust3rEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(views: Any) -> list[ViewPoints]:
        noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 64, 64, 3))).float()
        return [ViewPoints(noise, torch.full((1, 64, 64), 3.0), None) for _ in views]  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_look", look)
    _, second = engine.decode_window(engine.encode(frames(2)), Outputs()).views
    assert float(second.confidence.max()) == 1.0 and np.array_equal(second.T_first_view, np.eye(4))
