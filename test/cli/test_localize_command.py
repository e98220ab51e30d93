# SPDX-License-Identifier: Apache-2.0
"""Whoever asks where a photo was taken gets a pose, or is told why there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper


def dens3r(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def folder(walk: Any, box_room: Any, camera_pose: Any, tmp_path_factory: Any) -> Path:
    """A map of a walk, two images of it, one of another place, and files that are no images."""
    folder = tmp_path_factory.mktemp("places")
    mapper = Mapper(
        OracleEngine(walk, long_side=160, metric=True),
        MapperConfig(graph=GraphConfig(child_process=False)),
    )
    for index in range(0, 12, 2):
        mapper.step(walk[index])
    mapper.finish()
    mapper.save(folder / "room.map")
    for index in (1, 5):
        Image.fromarray(walk[index].image).save(folder / f"{index}.png")
    away = box_room(np.array([camera_pose(0, 0, 2, 180)]))
    Image.fromarray(away[0].image).save(folder / "away.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_photos_are_placed_and_others_are_told(folder: Path, walk: Any) -> None:
    names = [folder / f"{name}.png" for name in ("1", "5", "away", "broken")]
    lens = walk.camera
    numbers = f"{lens.fx},{lens.fy},{lens.cx},{lens.cy}"
    ran = dens3r("localize", folder / "room.map", *names, "--intrinsics", numbers, "--json", "-")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["lengths"] == "metres"
    one, five, away, broken = told["images"]
    moved = np.subtract(five["position"], one["position"])
    truth = np.linalg.norm(walk.poses[5][:3, 3] - walk.poses[1][:3, 3])
    assert np.linalg.norm(moved) == pytest.approx(truth, abs=0.08)
    assert np.linalg.norm(one["orientation_xyzw"]) == pytest.approx(1)
    assert np.shape(one["covariance"]) == (6, 6) and one["lens"] == "given"
    assert not away["found"] and "same place" in away["reason"]
    assert not broken["found"] and "cannot be read" in broken["reason"]


def test_people_read_a_line_an_image(folder: Path) -> None:
    ran = dens3r("localize", folder / "room.map", folder / "5.png", folder / "away.png")
    assert ran.exit_code == 0, ran.output
    first, second = ran.stdout.strip().splitlines()
    assert "5.png: x " in first and "sigma" in first and "keyframe" in first
    assert "away.png: not found: " in second


def test_no_image_found_is_an_exit_code(folder: Path) -> None:
    ran = dens3r("localize", folder / "room.map", folder / "away.png")
    assert ran.exit_code == 1 and "not found" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{}/gone.map", "{}/1.png"), "there is no map at"),
        (("{}/1.png", "{}/1.png"), "is no map"),
        (("{}/room.map", "{}/gone.png"), "no such file"),
        (("{}/room.map", "{}"), "is a folder"),
        (("{}/room.map", "{}/1.png", "--engine", "magic"), "engine 'magic' is none of"),
        (("{}/room.map", "{}/1.png", "--model", "reloc3r-512"), "--engine geometric uses none"),
        (("{}/room.map", "{}/1.png", "--calibration", "lens.yaml"), "neither"),
    ],
)
def test_mistakes_are_a_sentence(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = dens3r("localize", *(one.format(folder) for one in arguments))
    assert ran.exit_code == 2
    assert words in " ".join(ran.output.split()) and "Traceback" not in ran.output


def test_evaluate_localize_tells_figures(tmp_path: Path) -> None:
    walk = "procedural:walk?seed=1&frames=8&size=160x120"
    target = tmp_path / "figures.json"
    ran = dens3r("evaluate", "localize", walk, "--max-side", 160, "--json", target)
    assert ran.exit_code == 0, ran.output
    told = json.loads(target.read_text())
    assert told["asked"] == 4 and told["answered"] == 1.0 and told["wrong"] == 0
    few = dens3r("evaluate", "localize", "procedural:walk?seed=1&frames=4&size=64x48")
    assert few.exit_code == 2 and "too few" in few.output


def test_relative_poses_are_asked_for_by_name(folder: Path) -> None:
    names = [folder / f"{name}.png" for name in ("away", "broken")]
    ran = dens3r("localize", folder / "room.map", *names, "--way", "averaging", "--json", "-")
    assert ran.exit_code == 1, ran.output
    told = json.loads(ran.stdout)
    away, broken = told["images"]
    assert told["way"] == "averaging" and "shows the same place" in away["reason"]
    assert "cannot be read" in broken["reason"]
    wrong = dens3r("localize", folder / "room.map", names[0], "--way", "magic")
    assert wrong.exit_code == 2 and "none of points, averaging" in wrong.output
