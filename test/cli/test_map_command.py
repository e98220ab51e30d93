# SPDX-License-Identifier: Apache-2.0
"""Maps outlive the robot's run only if people can look into them and take them elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.files.map_splats import splats_of_map, views_of_map
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.splats.drawing.rendering import picture
from dens3r_ros.splats.files import read_splats

CONFIG = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.8)
)
EVERY_FRAME = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.97)
)


@pytest.fixture(scope="module")
def saved(walk, tmp_path_factory) -> Path:
    mapper = Mapper(OracleEngine(walk, long_side=160, metric=True), CONFIG)
    for index in range(6):
        mapper.step(walk[index])
    path = tmp_path_factory.mktemp("maps") / "room.map"
    mapper.save(path)
    return path


def dens3r(*arguments: object) -> object:
    return CliRunner().invoke(app, ["map", *map(str, arguments)])


def test_info_says_what_a_map_holds(saved) -> None:
    assert "oracle" in dens3r("info", saved).output
    found = json.loads(dens3r("info", saved, "--json", "-").stdout)
    assert found["frames"] == 6
    assert found["keyframes"] >= 1
    assert found["metric"] is True
    assert 0.2 < found["path_length"] < 1.2
    assert found["bytes"] == saved.stat().st_size


def test_an_exported_cloud_lies_on_the_walls(saved, tmp_path) -> None:
    target = tmp_path / "room.ply"
    assert dens3r("export", saved, "--ply", target, "--voxel", 0.03).exit_code == 0
    header, _, body = target.read_bytes().partition(b"end_header\n")
    rows = np.frombuffer(body, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))
    assert f"element vertex {len(rows)}".encode() in header
    assert len(rows) > 500
    cells = np.floor(rows["xyz"] / 0.03)
    assert len(np.unique(cells, axis=0)) == len(rows)
    assert np.ptp(rows["xyz"][:, 2]) < 3.6


def test_a_mesh_without_open3d_is_a_sentence(saved, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    result = dens3r("export", saved, "--mesh", tmp_path / "room.obj")
    assert result.exit_code == 2
    assert "dens3r_ros[mesh]" in result.output


def test_what_is_no_map_and_what_asks_for_nothing_is_said(saved, tmp_path) -> None:
    (tmp_path / "no.map").write_text("hello")
    for arguments in (("info", tmp_path / "no.map"), ("export", tmp_path / "gone", "--ply", "x")):
        result = dens3r(*arguments)
        assert result.exit_code == 2
        assert "map" in result.output
        assert "Traceback" not in result.output
    assert dens3r("export", saved).exit_code == 2


def test_a_floor_plan_is_written_for_nav2(saved, tmp_path) -> None:
    target = tmp_path / "room.yaml"
    result = dens3r("export", saved, "--grid", target)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "room.pgm").read_bytes().startswith(b"P5\n")
    assert "free" in result.output
    assert dens3r("export", saved, "--grid", tmp_path / "room.txt").exit_code == 2
    assert dens3r("export", saved, "--grid", target, "--min-height", 3).exit_code == 2


def test_exported_splats_show_the_room(saved, walk, tmp_path) -> None:
    """From where the first image was taken they look like it."""
    target = tmp_path / "room.ply"
    ran = dens3r("export", saved, "--splats", target, "--optimize", 3, "--min-confidence", 1.5)
    assert ran.exit_code == 0, ran.output
    splats = read_splats(target)
    assert splats.metric and len(splats) > 3000
    loaded = read_map(saved)
    first = views_of_map(loaded)[0]
    shown = picture(splats, first.camera, first.T_world_camera)
    # The walls are noise, finer than pixels.
    both = [cv2.blur(one.astype(np.float32), (7, 7)).ravel() for one in (shown, first.image)]
    assert np.corrcoef(*both)[0, 1] > 0.7
    assert len(splats_of_map(loaded)) > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--splats", "room.obj"], ".splat, .spz"),
        (["--optimize", "5", "--ply", "a.ply"], "--splats"),
        ([], "--splats"),
    ],
)
def test_splats_that_cannot_be_are_told_before_work(saved, tmp_path, options, said) -> None:
    named = [str(tmp_path / o) if "." in o else o for o in options]
    ran = dens3r("export", saved, *named)
    assert ran.exit_code == 2
    assert said in " ".join(ran.output.split())


def test_evaluate_says_how_near_splats_of_a_map_come(tmp_path, walk) -> None:
    mapper = Mapper(OracleEngine(walk, long_side=160, metric=True), EVERY_FRAME)
    for index in range(len(walk)):
        mapper.step(walk[index])
    path = tmp_path / "room.map"
    mapper.save(path)
    arguments = ["evaluate", "splats", str(path), "--optimize", "2", "--json", "-"]
    ran = CliRunner().invoke(app, [*arguments, "--pictures", str(tmp_path / "seen")])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["left_out"] >= 1 and found["made_of"] > found["left_out"]
    assert found["splats_psnr"] > found["points_psnr"] - 1
    assert 8 < found["optimised_psnr"] < 40 and 0 < found["splats_ssim"] < 1
    assert len(list((tmp_path / "seen").glob("*.png"))) == found["left_out"]
