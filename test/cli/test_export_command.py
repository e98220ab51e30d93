# SPDX-License-Identifier: Apache-2.0
"""Someone exports for a robot and trusts `--verify`: it must compare, and say so when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("onnxscript", reason="the onnx extra is not installed")

from networks import small_network

from dens3r_ros.cli.export import verify_export
from dens3r_ros.cli.main import app
from dens3r_ros.engines.onnx import export as onnx_export
from dens3r_ros.network import save_network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_network(
        small_network(head="linear", descriptors=None, normals=False, shared_decoder=True), path
    )
    return path


@pytest.mark.slow
def test_export_and_verify(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    command = ["export", "--model", str(weights), "--size", "64x96", "--verify", "--out", str(out)]
    monkeypatch.setitem(onnx_export.TOLERANCE, "fp32", 0.0)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "do not use it" in result.stderr
    export = json.loads((out / "export.json").read_text())
    assert export["size"] == [96, 64] and 0 < export["errors"]["points_b"] < 1e-3
    monkeypatch.undo()
    verify_export(str(weights), out, "fp32")


def test_mistakes_end_in_one_line(weights: Path, tmp_path: Path) -> None:
    for arguments in (["--precision", "int8"], ["--model", "mastr-512"]):
        command = ["export", "--model", str(weights), "--out", str(tmp_path / "x"), *arguments]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2 and result.stderr.count("\n") == 1, result.output
