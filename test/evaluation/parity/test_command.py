# SPDX-License-Identifier: Apache-2.0
"""If these fail, `dens3r evaluate parity` lets wrong numbers pass, or falls over a foreign file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from dens3r_ros.cli.main import app
from dens3r_ros.reconstruction.pair_graph import make_pairs


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", "parity", *map(str, arguments)])


def write_pairs(path: Path, graph: str = "swin-2", missing: int = 0) -> Path:
    pairs = sorted(make_pairs(6, graph, True, None))
    case = {"n": 6, "scene_graph": graph, "symmetrize": True, "prefilter": None}
    path.write_text(json.dumps([case | {"pairs_sorted": pairs[missing:]}]))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "right.json")
    return tmp_path


def test_right_numbers_pass(folder: Path) -> None:
    (folder / "below").mkdir()
    write_pairs(folder / "below" / "more.json", "complete")
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert "right.json: pair graphs: passed" in result.output
    assert "2 files: 2 passed." in result.output


def test_a_wrong_number_is_named_and_fails(folder: Path) -> None:
    write_pairs(folder / "wrong.json", missing=1)
    result = run(folder)
    assert result.exit_code == 1
    assert "wrong.json: pair graphs: off" in result.output and "OFF" in result.output
    assert "2 files: 1 passed, 1 beyond a tolerance." in result.output


def test_an_unknown_kind_is_named_and_never_passes(folder: Path) -> None:
    np.savez(folder / "foreign.npz", speech=np.zeros(3))
    (folder / "foreign.json").write_text('{"speech": 1}')
    result = run(folder)
    assert result.exit_code == 1
    assert "foreign.npz: unknown kind: unknown" in result.output and "speech" in result.output
    assert "3 files: 1 passed, 2 of a kind not known here (not counted" in result.output


def test_broken_files_are_said_so(folder: Path) -> None:
    (folder / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    (folder / "cut.json").write_text("[{")
    result = run(folder)
    assert result.exit_code == 1
    assert "2 could not be compared" in result.output


def test_figures_as_json(folder: Path) -> None:
    write_pairs(folder / "wrong.json", missing=2)
    file = folder.parent / "figures.json"
    assert run(folder, "--json", file).exit_code == 1
    figures = json.loads(file.read_text())
    assert (figures["passed"], figures["off"]) == (1, 1)
    wrong = next(f for f in figures["files"] if f["file"].endswith("wrong.json"))
    assert wrong["comparisons"][0]["error"] > 0 and not wrong["comparisons"][0]["passed"]


def test_json_alone_on_standard_output(folder: Path) -> None:
    result = run(folder, "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["passed"] == 1


def test_one_file_and_none(folder: Path) -> None:
    assert run(folder / "right.json").exit_code == 0
    empty = folder / "empty"
    empty.mkdir()
    result = run(empty)
    assert result.exit_code == 1 and "no .npz or .json files there" in result.output
    assert run(folder / "absent").exit_code == 1
