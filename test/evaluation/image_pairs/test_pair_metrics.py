# SPDX-License-Identifier: Apache-2.0
"""Without these the tables by which engines are chosen would say what nobody measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.evaluate import app
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.evaluation.baselines import BaselineEngine
from dens3r_ros.evaluation.image_pairs.pair_sets import ProceduralPairs, SequencePairs
from dens3r_ros.evaluation.image_pairs.scoring import evaluate_pairs
from dens3r_ros.evaluation.image_pairs.table import summary
from dens3r_ros.evaluation.image_pairs.true_maps import true_maps
from dens3r_ros.evaluation.metrics.depth import depth_errors, errors_by_confidence, median_scale
from dens3r_ros.evaluation.metrics.matching import reprojection_errors
from dens3r_ros.evaluation.metrics.pose import direction_error, pose_auc, rotation_error
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.sources import SourceError, open_source

POINT_KEYS = ["point_error_a", "point_error_b", "abs_rel", "rmse", "delta1", "delta2", "delta3"]
NORMAL_KEYS = ["normal_mean_deg", "normal_median_deg", "normal_11", "normal_22", "normal_30"]
POSE_KEYS = ["rotation_deg_median", "translation_deg_median", "auc5", "auc10", "auc20"]
OTHER_KEYS = ["pairs", "match_1px", "match_3px", "match_4px", "focal_error", "confidence_deciles"]
CAMERA = Intrinsics(50.0, 50.0, 29.5, 19.5, 60, 40)


def test_depth_errors_by_hand():
    errors = depth_errors(np.array([1.0, 1.3, 2.0]), np.array([1.0, 1.0, 1.0]))
    assert errors.abs_rel == pytest.approx(1.3 / 3)
    assert errors.rmse == pytest.approx(np.sqrt((0.09 + 1) / 3))
    assert (errors.delta1, errors.delta2, errors.delta3) == pytest.approx((1 / 3, 2 / 3, 2 / 3))


def test_scale_is_the_median_ratio():
    assert median_scale(np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 80.0])) == 2


def test_deciles_start_with_the_most_confident():
    error = np.linspace(0, 1, 1000)
    assert np.all(np.diff(errors_by_confidence(error, 1 - error)) > 0)


def test_equal_confidence_tells_nothing_of_error():
    deciles = errors_by_confidence(np.linspace(0, 1, 5000), np.ones(5000))
    assert np.ptp(deciles) < 0.15


def test_pose_errors_by_hand():
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert rotation_error(turn, np.eye(3)) == pytest.approx(90)
    assert direction_error(np.array([1.0, 1, 0]), np.array([5.0, 0, 0])) == pytest.approx(45)


@pytest.mark.parametrize(
    ("errors", "area"), [([0.0, 0.0], 1.0), ([99.0], 0.0), ([2.5], 0.75), ([0.0, 99.0], 0.5)]
)
def test_area_under_the_curve_by_hand(errors, area):
    assert pose_auc(np.array(errors), 5) == pytest.approx(area)


def test_matches_are_judged_by_the_true_surface():
    T_a_b = np.eye(4)
    T_a_b[0, 3] = 0.2
    miss = reprojection_errors(
        np.array([[15.0, 10.0], [15.0, 14.0], [0.0, 0.0]]),
        np.array([[10, 10], [10, 10], [11, 11]]),
        np.where(np.arange(60) == 11, np.nan, np.full((40, 60), 2.0)),
        T_a_b,
        (CAMERA, CAMERA),
    )
    assert miss == pytest.approx([0, 4])


def sequence(folder: Path, frames: int = 3, camera: bool = True) -> Path:
    """A slanted floor of noise, and a camera that moves along x."""
    lists: dict[str, list[str]] = {"rgb": [], "depth": [], "groundtruth": []}
    for number in range(frames):
        for kind in ("rgb", "depth"):
            (folder / kind).mkdir(exist_ok=True)
            lists[kind].append(f"{number}.0 {kind}/{number}.png")
        noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / "rgb" / f"{number}.png")
        depth = np.repeat(np.linspace(9000, 5000, 40)[:, None], 60, axis=1).astype(np.uint16)
        Image.fromarray(depth).save(folder / "depth" / f"{number}.png")
        lists["groundtruth"].append(f"{number}.0 {number / 10} 0 0 0 0 0 1")
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines))
    if camera:
        (folder / "camera.yaml").write_text(
            "{width: 60, height: 40, fx: 50, fy: 50, cx: 29.5, cy: 19.5}"
        )
    return folder


class Truthful:
    """Says the truth of one sequence, three times as large."""

    def __init__(self, pairs: SequencePairs) -> None:
        self.info = EngineInfo("truthful", "", "", 1, 0, False, False, True, False, "cpu")
        self._maps = [true_maps(pair) for pair in pairs]

    def encode(self, frames):
        return [Features(f, Placement(f.size, f.size, 0, 0, f.size), None, None) for f in frames]

    def decode(self, pairs, outputs: Outputs) -> PairPrediction:
        maps = self._maps.pop(0)
        given = (maps.points_a * 3, maps.points_b * 3, maps.normals_a, maps.normals_b)
        points_a, points_b, normals_a, normals_b = (
            torch.from_numpy(m).float()[None] for m in given
        )
        sure = torch.full((1, 40, 60), 5.0)
        return PairPrediction(points_a, points_b, sure, sure, normals_a, normals_b)


def test_the_truth_scores_full_marks(tmp_path):
    pairs = SequencePairs(open_source(sequence(tmp_path)), gap=1)
    found = summary(list(evaluate_pairs(Truthful(pairs), pairs)))
    assert found["pairs"] == 2
    assert found["point_error_a"] < 1e-4 and found["point_error_b"] < 1e-4
    assert found["abs_rel"] < 1e-4 and found["delta1"] == 1 and found["normal_mean_deg"] < 0.1
    assert found["rotation_deg_median"] < 0.1 and found["translation_deg_median"] < 1
    assert found["focal_error"] < 0.01 and found["match_3px"] > 0.9 and found["auc5"] > 0.8


def test_the_table_has_the_promised_keys(tmp_path):
    arguments = ["--source", str(sequence(tmp_path)), "--gap", "1", "--engine", "plane"]
    written = tmp_path / "out.json"
    done = CliRunner().invoke(app, ["pairs", *arguments, "--json", str(written)])
    assert done.exit_code == 0, done.output
    figures = json.loads(written.read_text())
    assert {*POINT_KEYS, *NORMAL_KEYS, *POSE_KEYS, *OTHER_KEYS} <= set(figures)
    assert len(figures["confidence_deciles"]) == 10
    assert "point_error_a" in done.output


def test_json_to_standard_output_is_alone_there(tmp_path):
    arguments = ["--source", str(sequence(tmp_path)), "--gap", "2", "--engine", "constant"]
    done = CliRunner().invoke(app, ["pairs", *arguments, "--json", "-"])
    assert json.loads(done.stdout)["pairs"] == 1


@pytest.mark.parametrize("plane", [False, True])
def test_baselines_are_planes_with_their_normals(plane):
    engine = BaselineEngine(plane)
    frame = Frame(np.zeros((40, 60, 3), np.uint8), 0, intrinsics=CAMERA)
    features = engine.encode([frame])[0]
    found = engine.decode([(features, features)], Outputs())
    normals, valid = normals_from_points(found.points_a, jump=10.0)
    assert valid.float().mean() > 0.9
    assert torch.allclose(normals[valid], found.normals_a[valid], atol=1e-3)
    assert (found.points_a[0, -1, :, 2].mean() < found.points_a[0, 0, :, 2].mean()) == plane


def test_procedural_pairs_have_consistent_truth():
    (pair,) = ProceduralPairs(range(5, 6), (48, 64))
    assert pair.a.size == (48, 64) and pair.a.image.dtype == np.uint8
    assert pair.truth_a.normals is not None and np.isfinite(pair.truth_a.depth).any()
    maps = true_maps(pair)
    assert np.isfinite(maps.points_b).all(-1).mean() > 0.3


def test_pairs_of_other_overlaps_are_left_out():
    """A target is stated for pairs that overlap by 50 to 95 %: others would blur the figure."""
    every = sum(1 for _ in ProceduralPairs(range(24), (48, 64)))
    low = sum(1 for _ in ProceduralPairs(range(24), (48, 64), (0.0, 0.7)))
    high = sum(1 for _ in ProceduralPairs(range(24), (48, 64), (0.7, 1.0)))
    assert every == 24 and low + high == 24 and low and high


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "either --source"),
        (["--seeds", "9:3"], "A less than B"),
        (["--seeds", "0:2", "--size", "big"], "WIDTHxHEIGHT"),
        (["--seeds", "0:2", "--overlap", "0.9:0.5"], "0 <= LOW < HIGH"),
        (["--seeds", "0:1", "--size", "64x48", "--overlap", "0:0.001"], "there are none"),
        (["--seeds", "0:2", "--engine", "none"], "is none of"),
        (["--seeds", "0:2", "--engine", "no.module:engine"], "cannot be imported"),
    ],
)
def test_wrong_arguments_are_explained(arguments, what):
    done = CliRunner().invoke(app, ["pairs", *arguments])
    assert done.exit_code != 0 and what in " ".join(done.output.split())


def test_a_source_without_truth_is_explained(tmp_path):
    with pytest.raises(SourceError, match=r"camera\.yaml"):
        SequencePairs(open_source(sequence(tmp_path, camera=False)), gap=1)
    with pytest.raises(SourceError, match="none are 7 apart"):
        SequencePairs(open_source(tmp_path), gap=7)
