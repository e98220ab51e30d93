# SPDX-License-Identifier: Apache-2.0
"""What windows bring is told without weights: the oracle must err as it says, no less."""

import numpy as np
import pytest

from dens3r_ros.engines.protocol import Outputs, WindowEngine
from dens3r_ros.evaluation.oracle.noise import OracleNoise, among
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.evaluation.oracle.window_oracle import WindowOracle

ALL = Outputs()


def test_it_keeps_the_contract_of_windows(walk) -> None:
    engine = WindowOracle(walk, long_side=160)
    assert isinstance(engine, WindowEngine) and engine.info.views > 2
    assert engine.info.name == "window-oracle"


def test_a_window_of_two_is_the_pair_of_the_other_oracle(walk) -> None:
    engine, pairs = WindowOracle(walk, long_side=160), OracleEngine(walk, long_side=160)
    a, b = engine.encode([walk[2], walk[5]])
    pair = pairs.decode([tuple(pairs.encode([walk[2], walk[5]]))], ALL)
    first, second = engine.decode_window([a, b], ALL).views
    assert (first.points == pair.points_a[0]).all()
    T = second.T_first_view
    moved = second.points.numpy() @ T[:3, :3].T + T[:3, 3]
    assert moved == pytest.approx(pair.points_b[0].numpy(), abs=1e-4)
    assert (second.confidence == pair.confidence_b[0]).all()
    assert (engine.decodings, engine.encodings) == (1, 2)


def test_the_law_is_the_one_that_is_documented() -> None:
    one, four = OracleNoise(), among(OracleNoise(), 4)
    for name in ("warp", "rotation_deg", "translation"):
        assert getattr(four, name) == pytest.approx(np.sqrt(0.5) * getattr(one, name))
    for name in ("scale", "pixel", "bleed_pixels", "hole_share", "outlier_share", "normal_deg"):
        assert getattr(four, name) == getattr(one, name)
    assert among(one, 1) == among(one, 2) == one


def test_poses_of_larger_windows_err_less_by_that_law(walk) -> None:
    """Measured on what it says, not on what it means to say."""
    turned = {views: [] for views in (2, 4)}
    seen = WindowOracle(walk, long_side=160).encode([walk[i] for i in (2, 5, 8, 11)])
    true = np.linalg.inv(walk.truth(2).T_world_camera) @ walk.truth(5).T_world_camera
    for seed in range(60):
        engine = WindowOracle(walk, seed=seed, long_side=160, metric=True)
        for views, angles in turned.items():
            T = engine.decode_window(seen[:views], ALL).views[1].T_first_view
            off = T[:3, :3].T @ true[:3, :3]
            angles.append(np.degrees(np.arccos(np.clip((np.trace(off) - 1) / 2, -1, 1))))
    pairs, fours = (np.sqrt(np.mean(np.square(angles))) for angles in turned.values())
    assert pairs == pytest.approx(0.3, rel=0.25)
    assert fours / pairs == pytest.approx(np.sqrt(0.5), rel=0.25)


def test_a_window_has_one_unit(walk) -> None:
    noise = OracleNoise(warp=0, rotation_deg=0, translation=0)
    engine = WindowOracle(walk, noise, long_side=160)
    views = engine.decode_window(engine.encode([walk[i] for i in (2, 5, 8)]), ALL).views
    ratios = [
        np.nanmedian(view.points[..., 2].numpy() / walk.truth(index).depth)
        for index, view in zip((2, 5, 8), views, strict=True)
    ]
    true = np.linalg.inv(walk.truth(2).T_world_camera) @ walk.truth(8).T_world_camera
    ratios.append(np.linalg.norm(views[2].T_first_view[:3, 3]) / np.linalg.norm(true[:3, 3]))
    assert ratios == pytest.approx([ratios[0]] * 4, rel=0.01) and abs(ratios[0] - 1) > 0.003


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_or_too_many_views_are_told(walk, count: int) -> None:
    engine = WindowOracle(walk, long_side=160, views=4)
    with pytest.raises(ValueError, match=rf"{count} views cannot.*1 to 4"):
        engine.decode_window(engine.encode([walk[0]]) * count, ALL)
