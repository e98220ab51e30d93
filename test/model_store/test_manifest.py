# SPDX-License-Identifier: Apache-2.0
"""A name typed for a model must lead to its file, or to a sentence that says how to get there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dens3r_ros.model_store.fetch import fetch
from dens3r_ros.model_store.manifest import (
    ModelError,
    find_entry,
    load_manifest,
    resolve_model,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dens3r" / "models"


def test_every_entry_can_be_had_and_says_its_terms() -> None:
    entries = load_manifest()
    assert {"dust3r-512-dpt", "mast3r-512", "dens3r-unify", "dens3r-normal"} <= set(entries)
    for entry in entries.values():
        assert entry.url or entry.path or entry.page, f"{entry.name} is nowhere to be had"
        assert entry.licence.summary and entry.licence.url and entry.description


def test_the_family_is_known_with_its_terms() -> None:
    entries = load_manifest()
    for name in ("reloc3r-512", "spann3r", "mvdust3r-plus", "mast3r-retrieval"):
        assert not entries[name].licence.commercial and entries[name].engine == "torch"
    assert entries["mast3r-retrieval-codebook"].file.endswith("codebook.pkl")


def test_what_no_program_can_fetch_is_told(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"by hand .*github.com/HengyiWang/spann3r.*spann3r\.pth"):
        fetch(find_entry("spann3r"))


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    weights = tmp_path / "mine.pth"
    weights.write_bytes(b"x")
    assert resolve_model(str(weights)) == weights


def test_a_name_leads_to_the_fetched_file(cache: Path) -> None:
    entry = find_entry("mast3r-512")
    cache.mkdir(parents=True)
    (cache / entry.file).write_bytes(b"x")
    assert resolve_model("mast3r-512") == cache / entry.file


def test_weights_not_here_name_the_command_that_gets_them() -> None:
    with pytest.raises(ModelError, match="dens3r models fetch dust3r-512-dpt"):
        resolve_model("dust3r-512-dpt")


def test_a_misspelt_name_is_answered_with_the_closest() -> None:
    with pytest.raises(ModelError, match="mast3r-512"):
        resolve_model("mastr-512")


def test_a_missing_path_is_not_looked_up_as_a_name() -> None:
    with pytest.raises(ModelError, match=r"no file or folder .*weights/best\.pth"):
        resolve_model("weights/best.pth")


def test_a_broken_manifest_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("models: {a: {licence: X, colour: red}}\nlicences: {}\n")
    with pytest.raises(ModelError, match="not a manifest of models"):
        load_manifest(path)
