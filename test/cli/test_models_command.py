# SPDX-License-Identifier: Apache-2.0
"""The licence must be seen before any byte is fetched, and errors must be sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dens3r_ros.cli.models import app


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_list_names_every_model() -> None:
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "dust3r-512-dpt" in result.stdout and "CC-BY-NC-SA-4.0" in result.stdout


def test_info_tells_the_licence_in_plain_words() -> None:
    result = CliRunner().invoke(app, ["info", "mast3r-512"])
    assert result.exit_code == 0
    assert "non-commercial" in result.stdout and "naverlabs" in result.stdout


def test_fetch_without_agreement_fetches_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fetch", "mast3r-512"])
    assert result.exit_code == 2
    assert "--accept-license" in result.stderr and "non-commercial" in result.stderr
    assert list(tmp_path.rglob("*")) == []


def test_an_unknown_name_ends_in_one_line() -> None:
    result = CliRunner().invoke(app, ["fetch", "mastr-512"])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and "mast3r-512" in result.stderr


def test_use_is_told_by_list(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["use", "dens3r-tiny"])
    assert result.exit_code == 0, result.stderr
    listed = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"}).stdout
    assert "engine auto is dens3r-tiny here: chosen by dens3r models use" in listed


def test_a_network_that_is_not_here_cannot_be_used() -> None:
    result = CliRunner().invoke(app, ["use", "da3-base"])
    assert result.exit_code == 2 and "dens3r models fetch da3-base" in result.stderr
