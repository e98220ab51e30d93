# SPDX-License-Identifier: Apache-2.0
"""If these fail, a set of photographs gives a bent scene, slowly, or none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pair_scene import DirectedPair
from dens3r_ros.geometry.quaternion import rotation_from_quaternion
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act, compose, scale_of
from dens3r_ros.reconstruction.alignment_problem import (
    AlignmentState,
    alignment_loss,
    problem_from_pairs,
)
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
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def predictions_of(arrays):
    maps = [torch.from_numpy(arrays[key]) for key in ("pts1", "pts2", "conf1", "conf2")]
    return {
        (int(a), int(b)): DirectedPair(*(values[edge] for values in maps))
        for edge, (a, b) in enumerate(arrays["edges"])
    }


def problem_of(arrays):
    count, height, width = arrays["gt_depth"].shape
    cameras = [Intrinsics(1.0, 1.0, width / 2, height / 2, width, height)] * count
    return problem_from_pairs(
        predictions_of(arrays), cameras, [torch.arange(height * width)] * count
    )


def stored_state(arrays, stage):
    raw = torch.from_numpy(arrays[f"{stage}_pw_poses_param"]).double()
    scale = torch.from_numpy(arrays[f"{stage}_pw_scale"]).double()
    shift = raw[:, 4:7].sign() * raw[:, 4:7].abs().expm1() * scale[:, None]
    return AlignmentState(
        torch.from_numpy(arrays[f"{stage}_poses"]),
        torch.from_numpy(arrays[f"{stage}_focals"]),
        torch.from_numpy(arrays[f"{stage}_depth"]).flatten(1),
        compose(scale, rotation_from_quaternion(raw[:, :4]), shift),
    )


def errors(poses, focals, depths, truth):
    """All errors that the published results state, by the same names."""
    true_poses = torch.from_numpy(truth["gt_poses"])
    poses = poses.double()
    T = register_similarity(poses[:, :3, 3], true_poses[:, :3, 3])
    misses = act(T, poses[:, :3, 3]) - true_poses[:, :3, 3]
    turned = T[:3, :3] / scale_of(T) @ poses[:, :3, :3]
    absolute = degrees(true_poses[:, :3, :3].mT @ turned)
    turns, directions = pairwise_errors(poses, true_poses)
    true_depth = torch.from_numpy(truth["gt_depth"])
    off = (depths * scale_of(T) - true_depth).abs() / true_depth
    focal_off = (focals.double() / torch.from_numpy(truth["gt_focals"]) - 1).abs()
    return {
        "ate_rmse": misses.square().sum(-1).mean().sqrt(),
        "rot_deg_mean": absolute.mean(),
        "rot_deg_max": absolute.max(),
        "depth_absrel_mean": off.mean(),
        "depth_absrel_median": off.median(),
        "pairwise_rel_rot_deg_mean": turns.mean(),
        "pairwise_rel_rot_deg_max": turns.max(),
        "pairwise_rel_transl_dir_deg_mean": directions.mean(),
        "pairwise_rel_transl_dir_deg_max": directions.max(),
        "focal_mean": focal_off.mean(),
        "focal_max": focal_off.max(),
    }


def pairwise_errors(poses, true_poses):
    first, second = torch.cartesian_prod(torch.arange(len(poses)), torch.arange(len(poses))).T
    first, second = first[first != second], second[first != second]
    found = torch.linalg.inv(poses[first]) @ poses[second]
    true = torch.linalg.inv(true_poses[first]) @ true_poses[second]
    unit, true_unit = (torch.nn.functional.normalize(T[:, :3, 3], dim=-1) for T in (found, true))
    directions = torch.rad2deg(2 * ((unit - true_unit).norm(dim=-1) / 2).asin())
    return degrees(found[:, :3, :3].mT @ true[:, :3, :3]), directions


def degrees(rotations):
    """Angles, exact for small ones too, of (..., 3, 3) rotations."""
    away = rotations - torch.eye(3, dtype=torch.float64)
    return torch.rad2deg(2 * (away.flatten(-2).norm(dim=-1) / 8**0.5).clamp(max=1).asin())


def published_errors(arrays):
    stated = json.loads(str(arrays["config_json"]))["errors"]["final_"]
    focal_off = np.abs(stated["focal_rel_err"])
    return {**stated, "focal_mean": focal_off.mean(), "focal_max": focal_off.max()}


@pytest.mark.parametrize("stage", ["init", "final"])
def test_loss_is_the_published_one(published, stage):
    loss = alignment_loss(problem_of(published), stored_state(published, stage))
    assert float(loss) == pytest.approx(float(published[f"{stage}_loss"]), rel=1e-6)


def test_every_error_is_below_the_published_optimisers(published):
    found = align_globally(predictions_of(published))
    assert found.loss <= 1.0001 * float(published["final_loss"])
    focals = torch.tensor([camera.fx for camera in found.intrinsics])
    ours = errors(found.T_world_camera, focals, torch.stack(found.depths), published)
    for name, limit in published_errors(published).items():
        if name in ours:
            assert float(ours[name]) <= limit, name
    assert len(ours) == 11 and set(ours) <= set(published_errors(published))


def test_errors_are_measured_as_the_published_ones_were(published):
    """The comparison above stands on this."""
    state = stored_state(published, "final")
    depths = state.depths.reshape(published["gt_depth"].shape)
    again = errors(state.T_world_camera, state.focals, depths, published)
    stated = published_errors(published)
    assert float(again["ate_rmse"]) == pytest.approx(stated["ate_rmse"], rel=1e-3)
    assert float(again["depth_absrel_mean"]) == pytest.approx(stated["depth_absrel_mean"], rel=1e-3)
    name = "pairwise_rel_transl_dir_deg_mean"
    assert float(again[name]) == pytest.approx(stated[name], rel=0.05)


def test_each_focal_starts_from_its_own_pointmap(published):
    start = spanning_tree_start(problem_of(published))
    off = start.focals / torch.from_numpy(published["gt_focals"]) - 1
    assert float(off.abs().max()) < 0.005


def test_known_cameras_are_kept_and_help():
    arrays = read("align_small_linear")
    height, width = arrays["gt_depth"].shape[1:]
    known = [
        Intrinsics(float(f), float(f), width / 2, height / 2, width, height)
        for f in arrays["gt_focals"]
    ]
    found = align_globally(predictions_of(arrays), [*known[:3], None])
    assert found.intrinsics[:3] == tuple(known[:3])
    assert found.intrinsics[3].fx == pytest.approx(known[3].fx, rel=2e-3)


def test_some_pixels_decide_on_cameras_and_all_get_depth():
    arrays = read("align_small_linear")
    heard = []
    config = AlignmentConfig(most_points=10_000, most_steps=30)
    found = align_globally(
        predictions_of(arrays), config=config, on_step=lambda step, loss: heard.append((step, loss))
    )
    depths = torch.stack(found.depths)
    focals = torch.tensor([camera.fx for camera in found.intrinsics])
    ours = errors(found.T_world_camera, focals, depths, arrays)
    assert depths.shape == arrays["gt_depth"].shape and float(ours["depth_absrel_mean"]) < 0.01
    assert [step for step, _ in heard] == list(range(1, len(heard) + 1))
    assert len(heard) <= 30 and heard[-1][1] < heard[0][1]


def test_points_lie_on_the_surfaces_and_holes_do_no_harm():
    arrays = read("align_small_linear")
    predictions = predictions_of(arrays)
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
    height, width = arrays["gt_depth"].shape[1:]
    cameras = [Intrinsics(f, f, width / 2, height / 2, width, height) for f in arrays["gt_focals"]]
    views = zip(torch.from_numpy(arrays["gt_poses"]), arrays["gt_depth"], cameras, strict=True)
    return torch.stack([act(T, unproject(torch.from_numpy(d), camera)) for T, d, camera in views])


def test_images_of_different_sizes_and_one_that_never_comes_first():
    arrays = read("align_small_linear")
    cut = {}
    for (a, b), pair in predictions_of(arrays).items():
        if a == 3:
            continue
        views = {"points_a": a, "confidence_a": a, "points_b": b, "confidence_b": b}
        rows = {name: getattr(pair, name)[4:-4] for name, image in views.items() if image == 1}
        cut[(a, b)] = replace(pair, **rows)
    found = align_globally(cut)
    assert found.depths[1].shape == (24, 48) and found.depths[0].shape == (32, 48)
    truth = torch.from_numpy(arrays["gt_poses"])
    turns, directions = pairwise_errors(found.T_world_camera, truth)
    assert float(turns.max()) < 0.5 and float(directions.max()) < 2.0
    assert found.intrinsics[3].fx == pytest.approx(float(arrays["gt_focals"][3]), rel=0.02)


def test_says_what_is_missing():
    arrays = read("align_small_linear")
    predictions = predictions_of(arrays)
    apart = {pair: maps for pair, maps in predictions.items() if pair in [(0, 1), (2, 3)]}
    with pytest.raises(ValueError, match="no pair joins images"):
        align_globally(apart)
    with pytest.raises(ValueError, match="every image needs a pair with another"):
        align_globally({(0, 2): predictions[(0, 2)]})
    with pytest.raises(ValueError, match="resize the intrinsics"):
        align_globally(predictions, [Intrinsics(1, 1, 1, 1, 9, 9), None, None, None])
    with pytest.raises(ValueError, match="every image needs a pair with another"):
        align_globally({})
