# SPDX-License-Identifier: Apache-2.0
"""If these fail, what a first pass found to move is in clouds, models and splats after all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dens3r_ros.engines.moving.masks import MovingMasks, name_of
from dens3r_ros.engines.moving.second_pass import WithoutMovers
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.files.map_splats import views_of_map
from dens3r_ros.reconstruction.kept.recording import recorded
from dens3r_ros.reconstruction.pipeline.options import ReconstructOptions
from dens3r_ros.splats.files import read_splats


def halved(source: Any) -> WithoutMovers:
    """An engine that was told that the left half of every image moves."""
    engine, masks = OracleEngine(source, long_side=160, metric=True), MovingMasks()
    for index in range(len(source)):
        frame = source[index]
        size = engine.encode([frame])[0].placement.size
        mask = np.zeros(size, bool)
        mask[:, : size[1] // 2] = True
        masks.put(name_of(frame.image), mask)
    return WithoutMovers(engine, masks)


@pytest.fixture(scope="module")
def masked(walk: Any, reconstruct: Any, tmp_path_factory: Any) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("masked")
    return out, reconstruct(walk, out, halved(walk), asked=ReconstructOptions(splats=True))


def test_the_engine_tells_though_its_pairs_are_noted(walk: Any) -> None:
    engine = recorded(halved(walk), lambda tracks: None)
    features = engine.encode([walk[0]])[0]
    assert engine.left_out(features).mean() == 0.5


def test_keyframes_of_the_map_know_what_moved(masked: tuple[Path, Any]) -> None:
    for view in views_of_map(read_map(masked[0] / "scene.map")):
        half = view.moving.shape[1] // 2
        assert view.moving[:, : half - 4].all() and not view.moving[:, half + 4 :].any()


def test_cloud_and_splats_hold_nothing_that_only_moving_pixels_show(
    masked: tuple[Path, Any],
) -> None:
    out, finished = masked
    cloud = open3d_points(out / "cloud.ply")
    splats = read_splats(out / "splats.ply").means
    for points in (cloud, splats):
        assert len(points) > 100
        seen = np.zeros(len(points), bool)
        for one in finished.scene.keyframes:
            T, lens = np.linalg.inv(one.T_world_camera), one.intrinsics
            there = points @ T[:3, :3].T + T[:3, 3]
            x = there[:, 0] / there[:, 2] * lens.fx + lens.cx
            seen |= (there[:, 2] > 0) & (x > lens.width // 2 - 2) & (x < lens.width + 1)
        assert seen.all()


def open3d_points(path: Path) -> np.ndarray:
    """(N, 3) points of a file, by another reader."""
    open3d = pytest.importorskip("open3d")
    return np.asarray(open3d.io.read_point_cloud(str(path)).points)


def test_the_sparse_model_has_no_points_on_it(masked: tuple[Path, Any]) -> None:
    scene = masked[1].scene
    assert scene.points is not None and len(scene.points.xyz) > 20
    first = {}
    for number, keyframe_id, pixel in zip(
        scene.points.point, scene.points.keyframe, scene.points.pixels, strict=True
    ):
        first.setdefault(int(number), (int(keyframe_id), pixel))
    width = {one.id: one.intrinsics.width for one in scene.keyframes}
    assert all(pixel[0] > 0.5 * width[i] - 2 for i, pixel in first.values())
