# SPDX-License-Identifier: Apache-2.0
"""If this fails, nobody can tell what drawing splats costs on their machine."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from dens3r_ros.cli.main import app


def test_drawing_is_timed_beside_a_fixed_computation() -> None:
    options = ["--count", "200", "--size", "32x24", "--rounds", "1", "--json", "-"]
    result = CliRunner().invoke(app, ["bench", "splats", *options])
    figures = json.loads(result.stdout)
    assert set(figures) == {"forward_ms", "forward_and_backward_ms", "matrix_product_ms"}
    assert 0 < figures["forward_ms"] < figures["forward_and_backward_ms"]
