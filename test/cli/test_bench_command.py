# SPDX-License-Identifier: Apache-2.0
"""Figures that people decide by: the names they look for, and relations that must hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from networks import small_network
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.engines.bench.stages import Gflop, count_gflop, median_ratio
from dens3r_ros.engines.cpu.int8 import int8_works
from dens3r_ros.engines.random_weights import DESCRIPTIONS
from dens3r_ros.network import save_network
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import AnyViewDescription, DenseSize
from dens3r_ros.network.parts.dinov2 import DinoSize

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
    assert result.exit_code == 2 and "mast3r-512" in result.stderr


def test_windows_are_timed_against_the_same_from_scratch(tmp_path: Path) -> None:
    encoder = DinoSize(64, 4, 4, 128, norm_epsilon=1e-5)
    head = DenseSize((8, 12, 16, 24), 8)
    torch.manual_seed(0)
    network = AnyViewNetwork(AnyViewDescription(encoder, head, 1, 1, 1, (0, 1, 2, 3)))
    weights, target = tmp_path / "views.safetensors", tmp_path / "figures.json"
    save_network(network, weights)
    arguments = ["bench", "window", "--model", str(weights), "--rounds", "2", "--device", "cpu"]
    wanted = ["--size", "80x60", "--views", "3", "--json", str(target)]
    result = CliRunner().invoke(app, [*arguments, *wanted])
    assert result.exit_code == 0, result.output
    figures = json.loads(target.read_text())
    assert figures["views"] == 3 and figures["width"] == 70
    assert figures["new_frame_ratio"] > 0 and figures["fixed_ms"] > 0
    assert figures["new_frame_own_map_ratio"] > 0
    if int8_works():
        result = CliRunner().invoke(app, [*arguments, *wanted, "--precision", "int8"])
        assert result.exit_code == 0, result.output
        figures = json.loads(target.read_text())
        assert figures["precision"] == "int8" and figures["depth_change_percent_p50"] > 0


def test_a_network_of_pairs_has_no_windows(tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    save_network(small_network(), weights)
    result = CliRunner().invoke(app, ["bench", "window", "--model", str(weights)])
    assert result.exit_code == 2 and "bench pair" in result.output
