# SPDX-License-Identifier: Apache-2.0
"""A preview that fails or shows nothing leaves people training on what they have not seen."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, ["train", "preview", *map(str, arguments)])


def test_preview_writes_a_row_of_five_pictures_a_pair(tmp_path):
    out = tmp_path / "sheet.png"
    result = run("--seeds", "3:6", "--size", "40x30", "--columns", 2, "--out", out)
    assert result.exit_code == 0, result.output
    assert "3 pairs of 40x30" in result.output
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (2 * 34, 2 * 5 * 44, 3)
    for cell in range(5):
        assert sheet[2:32, cell * 44 + 2 : cell * 44 + 42].std() > 3
    assert (sheet[34:, 5 * 44 :] == 255).all(), "there is no fourth pair"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seeds", "5"), "FIRST:END"),
        (("--seeds", "5:5"), "holds no pairs"),
        (("--size", "160"), "WIDTHxHEIGHT"),
        (("--world", "moon"), "moon"),
    ],
)
def test_wrong_arguments_are_explained(arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.output.replace("│", " ").split())
