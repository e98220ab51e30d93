# SPDX-License-Identifier: Apache-2.0
"""The first command that most people try: it must tell what is wrong before work begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app


def dens3r(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["reconstruct", *map(str, arguments)])


@pytest.fixture(scope="module")
def stroll(box_room: Any, camera_pose: Any) -> Any:
    """A metre sideways, slowly."""
    steps = range(20)
    return box_room(np.array([camera_pose(0.05 * n - 0.5, 0.1, -2, 0.5 * n) for n in steps]))


@pytest.fixture(scope="module")
def photos(stroll: Any, tmp_path_factory: Any) -> Path:
    """Its images, as files."""
    folder = tmp_path_factory.mktemp("photos") / "stroll"
    folder.mkdir()
    for index in range(len(stroll)):
        Image.fromarray(stroll[index].image).save(folder / f"{index}.png")
    return folder


def test_a_folder_of_images(photos: Path, stroll: Any, tmp_path: Path) -> None:
    lens = stroll.camera
    numbers = ",".join(str(value) for value in (lens.fx, lens.fy, lens.cx, lens.cy))
    found = dens3r(photos, "--out", tmp_path, "--engine", "geometric", "--intrinsics", numbers)
    assert found.exit_code == 0, found.output
    poses = np.loadtxt(tmp_path / "trajectory.tum")
    assert len(poses) > 15 and poses[1, 0] - poses[0, 0] == pytest.approx(1 / 30, abs=1e-6)
    cameras = json.loads((tmp_path / "intrinsics.json").read_text())["cameras"]
    assert cameras["camera"]["fx"] == pytest.approx(lens.fx) and not cameras["camera"]["estimated"]
    assert "20 images" in found.stderr and "cloud.ply" in found.stderr
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{}/nothing",), "does not exist"),
        (("{}/empty",), "is empty"),
        (("{}/photos", "--mode", "set"), "mode 'set' is none of auto, video, photos"),
        (("{}/photos", "--intrinsics", "{}/lens.yaml"), "neither"),
        (("{}/photos", "--engine", "magic"), "engine 'magic' is none of"),
        (
            ("{}/photos", "--mode", "video", "--engine", "geometric", "--moving", "attention"),
            "engine geometric has no attention between two images",
        ),
        (
            ("{}/photos", "--mode", "video", "--engine", "geometric", "--moving", "network"),
            "as DAS3R does, and geometric does not",
        ),
        (("{}/photos", "--mode", "photos", "--moving", "flow"), "--moving is for --mode video"),
        (
            ("{}/photos", "--mode", "video", "--moving", "all"),
            "none of off, attention, flow",
        ),
        (("{}/photos", "--viewer", "window"), "neither rerun nor a file"),
        (("{}/photos", "--config", "{}/none.yaml"), "No such file"),
        (("{}/photos", "--optimize", "50"), "works on splats"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "photos" / "a.png")
    given = [argument.format(tmp_path) for argument in arguments]
    found = dens3r(*given, "--out", tmp_path / "out")
    assert found.exit_code == 2
    assert words in found.output and "Traceback" not in found.output


def test_images_of_which_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in "abc":
        Image.new("RGB", (64, 48)).save(tmp_path / "photos" / f"{name}.png")
    out = tmp_path / "out"
    found = dens3r(tmp_path / "photos", "--out", out, "--engine", "geometric")
    assert found.exit_code == 1
    assert "none of 3 images found a place" in found.output
