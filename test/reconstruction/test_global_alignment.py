# SPDX-License-Identifier: Apache-2.0
"""If these fail, a set of photographs gives a bent scene, slowly, or none."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dens3r_ros.evaluation.parity.algorithms.alignment import (
    pairs_of,
    problem_of,
    published_errors,
    stored_state,
)
from dens3r_ros.evaluation.parity.algorithms.alignment_errors import (
    alignment_errors,
    pairwise_errors,
)
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act
from dens3r_ros.reconstruction.alignment_start import spanning_tree_start
from dens3r_ros.reconstruction.global_alignment import AlignmentConfig, align_globally

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
NAMES = ["align_small", "align_small_linear"]


@pytest.fixture(params=NAMES)
def published(request):
    """The published optimiser's input and results."""
    return read(request.param)


def read(name):
    path = FIXTURES / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the published results {path} are not on this machine")
    return Fixture(path)


def test_every_error_is_below_the_published_optimisers(published):
    found = align_globally(pairs_of(published))
    assert found.loss <= 1.0001 * float(published.array("final_loss"))
    focals = torch.tensor([camera.fx for camera in found.intrinsics])
    ours = alignment_errors(found.T_world_camera, focals, torch.stack(found.depths), published)
    for name, limit in published_errors(published).items():
        if name in ours:
            assert ours[name] <= limit, name
    assert len(ours) == 11 and set(ours) <= set(published_errors(published))


def test_errors_are_measured_as_the_published_ones_were(published):
    """The comparison above stands on this."""
    state = stored_state(published, "final")
    depths = state.depths.reshape(published.array("gt_depth").shape)
    again = alignment_errors(state.T_world_camera, state.focals, depths, published)
    stated = published_errors(published)
    assert again["ate_rmse"] == pytest.approx(stated["ate_rmse"], rel=1e-3)
    assert again["depth_absrel_mean"] == pytest.approx(stated["depth_absrel_mean"], rel=1e-3)
    name = "pairwise_rel_transl_dir_deg_mean"
    assert again[name] == pytest.approx(stated[name], rel=0.05)


def test_each_focal_starts_from_its_own_pointmap(published):
    start = spanning_tree_start(problem_of(published))
    off = start.focals / torch.from_numpy(published.array("gt_focals")) - 1
    assert float(off.abs().max()) < 0.005


def test_known_cameras_are_kept_and_help():
    arrays = read("align_small_linear")
    height, width = arrays.array("gt_depth").shape[1:]
    known = [
        Intrinsics(float(f), float(f), width / 2, height / 2, width, height)
        for f in arrays.array("gt_focals")
    ]
    found = align_globally(pairs_of(arrays), [*known[:3], None])
    assert found.intrinsics[:3] == tuple(known[:3])
    assert found.intrinsics[3].fx == pytest.approx(known[3].fx, rel=2e-3)


def test_some_pixels_decide_on_cameras_and_all_get_depth():
    arrays = read("align_small_linear")
    heard = []
    config = AlignmentConfig(most_points=10_000, most_steps=30)
    found = align_globally(
        pairs_of(arrays), config=config, on_step=lambda step, loss: heard.append((step, loss))
    )
    depths = torch.stack(found.depths)
    focals = torch.tensor([camera.fx for camera in found.intrinsics])
    ours = alignment_errors(found.T_world_camera, focals, depths, arrays)
    assert depths.shape == arrays.array("gt_depth").shape and ours["depth_absrel_mean"] < 0.01
    assert [step for step, _ in heard] == list(range(1, len(heard) + 1))
    assert len(heard) <= 30 and heard[-1][1] < heard[0][1]


def test_points_lie_on_the_surfaces_and_holes_do_no_harm():
    arrays = read("align_small_linear")
    predictions = pairs_of(arrays)
    for pair in predictions.values():
        pair.points_b[5:12, 3:20] = torch.nan
        pair.points_a[10:16, 10:30] = torch.nan
    found = align_globally(predictions)
    truth = true_points(arrays)
    points = torch.stack([found.points(image).double() for image in range(len(truth))])
    unseen = torch.zeros(truth.shape[:3], dtype=torch.bool)
    unseen[:, 10:12, 10:20] = True
    assert torch.equal(points.isnan().any(-1), unseen)
    points, truth = points[~unseen], truth[~unseen]
    T = register_similarity(points, truth)
    assert float((act(T, points) - truth).norm(dim=-1).quantile(0.95)) < 0.05
    assert all(bool((confidence >= 1).all()) for confidence in found.confidences)


def true_points(arrays):
    """(N, H, W, 3) in the world; the scene is some six units wide."""
    height, width = arrays.array("gt_depth").shape[1:]
    cameras = [
        Intrinsics(f, f, width / 2, height / 2, width, height) for f in arrays.array("gt_focals")
    ]
    views = zip(
        torch.from_numpy(arrays.array("gt_poses")), arrays.array("gt_depth"), cameras, strict=True
    )
    return torch.stack([act(T, unproject(torch.from_numpy(d), camera)) for T, d, camera in views])


def test_images_of_different_sizes_and_one_that_never_comes_first():
    arrays = read("align_small_linear")
    cut = {}
    for (a, b), pair in pairs_of(arrays).items():
        if a == 3:
            continue
        views = {"points_a": a, "confidence_a": a, "points_b": b, "confidence_b": b}
        rows = {name: getattr(pair, name)[4:-4] for name, image in views.items() if image == 1}
        cut[(a, b)] = replace(pair, **rows)
    found = align_globally(cut)
    assert found.depths[1].shape == (24, 48) and found.depths[0].shape == (32, 48)
    truth = torch.from_numpy(arrays.array("gt_poses"))
    turns, directions = pairwise_errors(found.T_world_camera, truth)
    assert float(turns.max()) < 0.5 and float(directions.max()) < 2.0
    assert found.intrinsics[3].fx == pytest.approx(float(arrays.array("gt_focals")[3]), rel=0.02)


def test_says_what_is_missing():
    arrays = read("align_small_linear")
    predictions = pairs_of(arrays)
    apart = {pair: maps for pair, maps in predictions.items() if pair in [(0, 1), (2, 3)]}
    with pytest.raises(ValueError, match="no pair joins images"):
        align_globally(apart)
    with pytest.raises(ValueError, match="every image needs a pair with another"):
        align_globally({(0, 2): predictions[(0, 2)]})
    with pytest.raises(ValueError, match="resize the intrinsics"):
        align_globally(predictions, [Intrinsics(1, 1, 1, 1, 9, 9), None, None, None])
    with pytest.raises(ValueError, match="every image needs a pair with another"):
        align_globally({})
