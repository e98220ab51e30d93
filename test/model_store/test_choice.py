# SPDX-License-Identifier: Apache-2.0
"""Who fetched a network wants it to run, and who chose one wants no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from dens3r_ros.model_store import choice
from dens3r_ros.model_store.manifest import (
    ModelError,
    find_entry,
    load_manifest,
    order_of_preference,
)
from dens3r_ros.model_store.places import model_cache


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def fetched(*names: str) -> None:
    model_cache().mkdir(parents=True, exist_ok=True)
    for name in names:
        (model_cache() / find_entry(name).file).write_bytes(b"x")


def test_geometry_runs_where_nothing_was_fetched() -> None:
    assert choice.choose().engine == "geometric"


def test_a_fetched_network_runs_without_further_words() -> None:
    fetched("da3-small")
    found = choice.choose()
    assert (found.engine, found.model) == ("torch", "da3-small")


def test_free_licences_come_first() -> None:
    entries = load_manifest()
    free = [entries[name].licence.free for name in order_of_preference()]
    assert free == sorted(free, reverse=True)
    fetched("mast3r-512", "moge-2-vits-normal")
    found = choice.choose()
    assert (found.engine, found.model) == ("hybrid", "moge-2-vits-normal")
    assert "before mast3r-512" in found.why


def test_what_was_chosen_runs_until_it_is_taken_back() -> None:
    fetched("da3-base", "da3-small")
    choice.use("da3-small")
    assert choice.choose().model == "da3-small" and "models use" in choice.choose().why
    choice.use("geometric")
    assert choice.choose().engine == "geometric"
    choice.use("auto")
    assert choice.choose().model == "da3-base"


def test_what_is_not_here_cannot_be_chosen() -> None:
    with pytest.raises(ModelError, match="dens3r models fetch da3-base"):
        choice.use("da3-base")
    with pytest.raises(ModelError, match="da3-base"):
        choice.use("da3-bass")


def test_a_chosen_model_that_was_deleted_is_missed_not_replaced() -> None:
    fetched("da3-small")
    choice.use("da3-small")
    (model_cache() / "da3-small.safetensors").unlink()
    with pytest.raises(ModelError, match=r"models fetch da3-small.*models use auto"):
        choice.choose()
