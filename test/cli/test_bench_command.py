# SPDX-License-Identifier: Apache-2.0
"""Figures that people decide by: the names they look for, and relations that must hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))

from networks import small_network

from dens3r_ros.cli.main import app
from dens3r_ros.engines.bench.stages import Gflop, count_gflop, median_ratio
from dens3r_ros.engines.random_weights import DESCRIPTIONS
from dens3r_ros.network import save_network

KEYS = {
    "model",
    "dtype",
    "encode_ms",
    "decode_ms",
    "heads_ms",
    "pair_ms",
    "new_frame_ms",
    "new_frame_ratio",
    "matmul_fraction",
    "peak_rss_mb",
    "load_s",
}


def test_figures_are_complete_and_agree_with_each_other(tmp_path: Path) -> None:
    weights, target = tmp_path / "small.safetensors", tmp_path / "figures.json"
    save_network(small_network(), weights)
    arguments = ["bench", "pair", "--model", str(weights), "--rounds", "2", "--device", "cpu"]
    result = CliRunner().invoke(app, [*arguments, "--plain", "--json", str(target)])
    assert result.exit_code == 0, result.output
    figures = json.loads(target.read_text())
    assert figures.keys() >= KEYS
    assert figures["pair_gflop"] == pytest.approx(
        2 * figures["encode_gflop"] + figures["decode_gflop"] + figures["heads_gflop"]
    )
    assert figures["encode_p95_ms"] >= figures["encode_ms"] > 0
    assert figures["plain_pair_ms"] > 0 and figures["size"] == "128x96"
    result = CliRunner().invoke(app, [*arguments, "--json", "-"])
    assert json.loads(result.stdout)["rounds"] == 2


def test_operations_are_counted_as_published() -> None:
    """Published figures for DUSt3R at 512x384: 523 encoding, 437 decoding; heads take fewer here,
    since 1x1 convolutions run before the enlargement."""
    counted = count_gflop(DESCRIPTIONS["dust3r-512-dpt"], (384, 512))
    assert counted.encode == pytest.approx(523, abs=1)
    assert counted.decode == pytest.approx(437, abs=1)
    assert 300 < counted.heads <= 373
    assert Gflop(1, 2, 3).pair == 7


def test_ratios_are_taken_within_rounds() -> None:
    assert median_ratio([1, 10, 100], [2, 20, 1000]) == 0.5


def test_an_unknown_model_ends_in_one_line() -> None:
    result = CliRunner().invoke(app, ["bench", "pair", "--model", "mastr-512"])
    assert result.exit_code == 1 and "mast3r-512" in result.stderr
