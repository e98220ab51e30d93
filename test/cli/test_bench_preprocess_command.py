# SPDX-License-Identifier: Apache-2.0
"""Whoever doubts the fast preprocessing measures it on their own model and images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from networks import small_network
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.network import save_network


def test_what_changes_is_told_beside_a_yardstick(tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    save_network(small_network(), weights)
    rows, columns = np.mgrid[:120, :160]
    for shift in range(3):
        image = np.stack([np.sin((rows + shift * 5) / 9), np.cos(columns / 7), rows / 120], -1)
        Image.fromarray((image * 100 + 128).astype(np.uint8)).save(tmp_path / f"{shift}.png")
    command = ["bench", "preprocess", str(tmp_path), "--model", str(weights), "--count", "3"]
    result = CliRunner().invoke(app, [*command, "--json", "-"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert 0 < figures["fast_changes"]["points_a"] < 0.1
    assert figures["fast_changes"].keys() == figures["noise_changes"].keys()


def test_a_folder_without_images_ends_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "preprocess", str(tmp_path), "--model", "x"])
    assert result.exit_code == 2 and "0 .jpg or .png images" in result.stderr
