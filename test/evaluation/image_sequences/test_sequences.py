# SPDX-License-Identifier: Apache-2.0
"""The tables by which every change of the mapper is judged must measure what they say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
from dens3r_ros.evaluation.image_sequences.plots import write_plots
from dens3r_ros.evaluation.image_sequences.scoring import (
    Measured,
    SequenceOptions,
    evaluate_sequence,
)
from dens3r_ros.evaluation.image_sequences.table import as_json
from dens3r_ros.evaluation.metrics.surface import compare_surfaces, thinned
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.sources.opening import open_source

KEYS = {
    "sequence",
    "engine",
    "frames",
    "keyframes",
    "loops",
    "wrong_loops",
    "epochs",
    "end_error_m",
    "completeness",
    "path_m",
    "ate_sim3_m",
    "ate_se3_m",
    "scale",
    "rpe_m",
    "rpe_deg",
    "abs_rel",
    "delta1",
    "normal_mean_deg",
    "normal_median_deg",
    "chamfer_m",
    "coverage",
    "frames_per_second",
    "ms_per_frame",
    "oracle",
}
HOLOLENS = Path(__file__).parents[4] / "shared" / "data" / "hololens"
INLINE = MapperConfig(graph=GraphConfig(child_process=False))


@pytest.fixture(scope="module")
def measured(walk) -> Measured:
    engine = OracleEngine(walk, long_side=160)
    options = SequenceOptions(calibrated=True, chained=True)
    return evaluate_sequence(walk, engine, INLINE, options)


def test_every_promised_figure_is_there_and_plausible(measured, walk) -> None:
    figures = json.loads(as_json([measured.figures]))[0]
    assert set(figures) >= KEYS
    assert figures["frames"] == len(walk)
    assert figures["completeness"] == 1
    assert figures["path_m"] == pytest.approx(2.5, abs=0.6)
    assert 0.0 < figures["ate_sim3_m"] <= figures["ate_se3_m"] * 1.001
    assert figures["delta1"] > 0.95
    assert figures["normal_median_deg"] < 8
    assert figures["chamfer_m"] < 0.2
    assert figures["oracle"]["warp"] == 0.03


def test_frames_that_the_oracle_cannot_see_are_left_out_and_counted(walk) -> None:
    """Real sequences lack a pose here and a depth image there."""

    class Patchy:
        name = "patchy"

        def __len__(self) -> int:
            return len(walk)

        def __getitem__(self, index: int):
            return walk[index]

        def truth(self, index: int):
            truth = walk.truth(index)
            if index == 5:
                return replace(truth, depth=np.full_like(truth.depth, np.nan))
            return None if index in (0, 3) else truth

    source = Patchy()
    engine = OracleEngine(source, long_side=160)
    figures = evaluate_sequence(source, engine, INLINE, SequenceOptions()).figures
    assert figures["frames_without_truth"] == 3
    assert figures["frames"] == len(walk) - 3
    assert figures["completeness"] == 1


def test_mapping_beats_chaining_pairs(measured) -> None:
    assert measured.figures["ate_sim3_m"] < measured.figures["ate_chained_m"]


def test_a_picture_is_written_whatever_the_sequence_is_called(measured, tmp_path) -> None:
    figures = measured.figures | {"sequence": "procedural:loop?seed=3/x"}
    path = write_plots(replace(measured, figures=figures), tmp_path)
    assert path.parent == tmp_path
    assert path.read_bytes()[:4] == b"\x89PNG"


def poses(positions: np.ndarray) -> np.ndarray:
    T = np.tile(np.eye(4), (len(positions), 1, 1))
    T[:, :3, 3] = positions
    return T


def test_alignments_find_scale_or_leave_it() -> None:
    truth = np.random.default_rng(0).normal(size=(30, 3))
    errors = compare(np.arange(30.0), poses(truth * 0.5 + 1), poses(truth))
    assert errors.ate_sim3_m < 1e-9
    assert errors.scale == pytest.approx(2)
    assert errors.ate_se3_m == pytest.approx(0.5 * np.sqrt(truth.var(0).sum()), rel=0.01)


def test_paths_that_align_with_nothing_are_not_a_crash() -> None:
    line = np.linspace(0, 1, 9)[:, None] * np.ones(3)
    assert np.isnan(compare(np.arange(9.0), poses(line), poses(line)).ate_sim3_m)
    assert np.isnan(compare(np.arange(2.0), poses(line[:2]), poses(line[:2])).ate_sim3_m)


def test_a_surface_a_centimetre_off_is_a_centimetre_off() -> None:
    x, y = np.meshgrid(np.arange(0, 1, 0.01), np.arange(0, 1, 0.01))
    plane = np.stack((x.ravel(), y.ravel(), np.zeros(x.size)), 1) + 0.005
    found = compare_surfaces(plane + np.array([0, 0, 0.01]), plane)
    assert found.chamfer_m == pytest.approx(0.01, abs=1e-6)
    assert len(thinned(np.concatenate((plane, plane)))) == len(thinned(plane))


@pytest.mark.skipif(not HOLOLENS.exists(), reason=f"{HOLOLENS} is not here")
def test_a_stretch_of_a_real_sequence_is_mapped_within_centimetres() -> None:
    source = open_source(HOLOLENS)

    class Stretch:
        name = "stretch"

        def __len__(self) -> int:
            return 30

        def __getitem__(self, index: int):
            return source[range(30)[index]]

        def truth(self, index: int):
            return source.truth(index)

    engine = OracleEngine(Stretch(), long_side=256)
    figures = evaluate_sequence(Stretch(), engine, INLINE, SequenceOptions()).figures
    assert figures["completeness"] == 1
    assert figures["ate_sim3_m"] < 0.04


def test_a_floor_plan_and_metres_by_height_are_compared_with_the_hall() -> None:
    """The floor is seen from several places; of the hall a walk of four seconds shows a part."""
    source = CachedSource(open_source("procedural:walk?seed=5&frames=120&size=160x120"))
    options = SequenceOptions(calibrated=True, every=2, surface=False, camera_height=1.5, grid=True)
    engine = OracleEngine(source, long_side=160)
    figures = evaluate_sequence(source, engine, INLINE, options).figures
    assert figures["scale_source"] == "height"
    assert figures["scale_error"] == pytest.approx(abs(figures["scale"] - 1))
    assert figures["scale_error"] < 0.1
    assert figures["grid_free_iou"] > 0.8 * figures["grid_known"] > 0.1
    assert figures["grid_occupied_iou"] < figures["grid_known"] + 0.3
    assert figures["grid_free_in_walls"] < 0.1
