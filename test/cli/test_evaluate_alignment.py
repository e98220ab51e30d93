# SPDX-License-Identifier: Apache-2.0
"""If these fail, whoever aligns a folder of images sees a traceback, or no figures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from dens3r_ros.cli.main import app


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three small images, of which nothing is known."""
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), noise)
    return tmp_path


def test_a_folder_of_images_gives_figures_and_what_is_not_known(folder) -> None:
    command = ["evaluate", "alignment", str(folder), "--engine", "plane", "--json", "-"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["images"], figures["pairs"]) == (3, 6)
    assert figures["ate_m"] is None and figures["focal_error"] is None


def test_what_holds_no_images_is_said_in_a_sentence(tmp_path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "alignment", str(tmp_path)])
    assert result.exit_code == 1
    assert "nothing" in result.stderr and "Traceback" not in result.output


def test_a_single_image_is_refused_in_a_sentence(folder) -> None:
    for name in ("1.png", "2.png"):
        (folder / name).unlink()
    result = CliRunner().invoke(app, ["evaluate", "alignment", str(folder), "--engine", "plane"])
    assert result.exit_code == 1
    assert "needs two" in result.stderr
