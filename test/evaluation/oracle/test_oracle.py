# SPDX-License-Identifier: Apache-2.0
"""Every figure of mapping without weights rests on the oracle's noise being what it says."""

import numpy as np
import pytest

from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.evaluation.oracle.noise import OracleNoise, pose_error
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.geometry.rays import pixel_rays

SILENT = OracleNoise(
    scale=0, warp=0, pixel=0, rotation_deg=0, translation=0, bleed_pixels=0, hole_share=0,
    outlier_share=0, confidence_jitter=0, normal_deg=0,
)  # fmt: skip


def pair(source, a: int, b: int, **options):
    engine = OracleEngine(source, long_side=160, **options)
    features = engine.encode([source[a], source[b]])
    return engine.decode([(features[0], features[1])], Outputs())


def test_without_noise_it_tells_the_truth_of_both_views(walk) -> None:
    prediction = pair(walk, 2, 5, noise=SILENT)
    assert prediction.points_a[0, ..., 2].numpy() == pytest.approx(walk.truth(2).depth, rel=1e-5)
    T = np.linalg.inv(walk.truth(2).T_world_camera) @ walk.truth(5).T_world_camera
    rays = pixel_rays(walk.camera).numpy()
    points = rays * walk.truth(5).depth[..., None] @ T[:3, :3].T + T[:3, 3]
    assert prediction.points_b[0].numpy() == pytest.approx(points, abs=1e-4)
    assert prediction.normals_b[0].numpy() == pytest.approx(walk.truth(5).normals, abs=1e-4)


def test_a_pair_is_disturbed_alike_whenever_it_is_asked_for_and_unlike_others(walk) -> None:
    first, again = pair(walk, 2, 5), pair(walk, 2, 5)
    assert (first.points_a == again.points_a).all()
    assert (first.points_a != pair(walk, 2, 5, seed=1).points_a).any()
    turned = pair(walk, 5, 2)
    assert (first.points_a != turned.points_b).any()


def test_scales_spread_as_documented_and_not_at_all_in_metric_mode(walk) -> None:
    engine = OracleEngine(walk, noise=OracleNoise(warp=0), long_side=160)
    features = engine.encode([walk[i] for i in range(24)])
    depth = np.median(walk.truth(3).depth)
    pairs = [(features[3], other) for other in features]
    logs = [
        float(np.log(engine.decode([one], Outputs()).points_a[0, ..., 2].median() / depth))
        for one in pairs
    ]
    assert 0.05 < np.std(logs) < 0.17
    metric = pair(walk, 3, 9, noise=OracleNoise(warp=0), metric=True)
    assert float(metric.points_a[0, ..., 2].median()) == pytest.approx(depth, rel=0.02)


def test_pose_errors_have_the_documented_size() -> None:
    random = np.random.default_rng(0)
    errors = [pose_error(OracleNoise(), random, 2.0) for _ in range(500)]
    angles = [np.degrees(np.arccos(np.clip((np.trace(T[:3, :3]) - 1) / 2, -1, 1))) for T in errors]
    shifts = [np.linalg.norm(T[:3, 3]) for T in errors]
    assert np.sqrt(np.mean(np.square(angles))) == pytest.approx(0.3, rel=0.1)
    assert np.sqrt(np.mean(np.square(shifts))) == pytest.approx(0.02, rel=0.1)


def test_confidence_follows_the_error(walk) -> None:
    prediction = pair(walk, 2, 5, metric=True)
    error = np.abs(prediction.points_a[0, ..., 2].numpy() / walk.truth(2).depth - 1)
    confidence = prediction.confidence_a[0].numpy()
    assert confidence.min() >= 1
    order = np.argsort(confidence.ravel())
    tenths = [np.median(error.ravel()[part]) for part in np.array_split(order, 10)]
    assert tenths[0] > 3 * tenths[-1]
    assert np.corrcoef(np.arange(10), tenths)[0, 1] < -0.8


def test_a_frame_that_the_source_does_not_have_is_named(walk) -> None:
    from dataclasses import replace

    with pytest.raises(KeyError, match="box room has no frame at 5 ns"):
        OracleEngine(walk, long_side=160).encode([replace(walk[0], stamp=5)])
