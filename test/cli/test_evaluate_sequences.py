# SPDX-License-Identifier: Apache-2.0
"""Scripts read the JSON, people the sentences: neither may see a traceback."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from dens3r_ros.cli.main import app


@pytest.fixture
def folder(walk, tmp_path) -> Path:
    """Eight frames of the room in the TUM layout."""
    lists = {"rgb": [], "depth": [], "groundtruth": []}
    for kind in ("rgb", "depth"):
        (tmp_path / kind).mkdir()
    for index in range(8):
        frame, truth = walk[index], walk.truth(index)
        stamp = f"{frame.stamp * 1e-9:.6f}"
        cv2.imwrite(str(tmp_path / f"rgb/{stamp}.png"), frame.image[..., ::-1])
        depth = np.rint(truth.depth * 5000).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"depth/{stamp}.png"), depth)
        lists["rgb"].append(f"{stamp} rgb/{stamp}.png")
        lists["depth"].append(f"{stamp} depth/{stamp}.png")
        T = truth.T_world_camera
        pose = [*T[:3, 3], *Rotation.from_matrix(T[:3, :3]).as_quat()]
        lists["groundtruth"].append(f"{stamp} " + " ".join(f"{value:.9f}" for value in pose))
    for name, lines in lists.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    camera = walk.camera
    (tmp_path / "camera.yaml").write_text(
        f"width: {camera.width}\nheight: {camera.height}\nfx: {camera.fx}\nfy: {camera.fy}\n"
        f"cx: {camera.cx}\ncy: {camera.cy}\n"
    )
    return tmp_path


def test_json_on_standard_output_is_nothing_but_json(folder) -> None:
    command = [
        "evaluate",
        "sequences",
        str(folder),
        "--max-side",
        "160",
        "--calibrated",
        "--json",
        "-",
    ]
    result = CliRunner().invoke(app, [*command, "--plots", str(folder / "plots")])
    assert result.exit_code == 0, result.output
    (figures,) = json.loads(result.stdout)
    assert figures["frames"] == 8
    assert figures["completeness"] == 1
    assert figures["calibrated"] is True
    assert len(list((folder / "plots").iterdir())) == 1


def test_what_is_no_sequence_is_said_in_a_sentence(tmp_path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "sequences", str(tmp_path / "nowhere")])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    assert "Traceback" not in result.output


def test_an_engine_that_is_not_there_is_said_in_a_sentence(folder) -> None:
    command = ["evaluate", "sequences", str(folder), "--engine", "geometrik"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "geometrik" in result.stderr
