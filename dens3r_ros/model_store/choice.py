# SPDX-License-Identifier: Apache-2.0
"""Which model runs where nobody names one: what a person chose, else the best that lies here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.model_store.manifest import (
    ModelEntry,
    ModelError,
    find_entry,
    load_manifest,
    order_of_preference,
)
from dens3r_ros.model_store.places import config_dir


@dataclass(frozen=True)
class Choice:
    """An engine, its model ("" for the geometric one), and why it was chosen."""

    engine: str
    model: str
    why: str


def choose(entries: dict[str, ModelEntry] | None = None) -> Choice:
    """What `engine: auto` means on this machine where no model is named."""
    entries = load_manifest() if entries is None else entries
    chosen = default_model()
    if chosen is not None:
        return _chosen(chosen, entries)
    here = [entries[n] for n in order_of_preference() if n in entries and entries[n].path]
    if not here:
        return Choice("geometric", "", "no better model lies on this machine")
    others = ", ".join(entry.name for entry in here[1:])
    why = "the best on this machine" + (f", before {others}" if others else "")
    return Choice(here[0].engine, here[0].name, why)


def _chosen(name: str, entries: dict[str, ModelEntry]) -> Choice:
    why = f"chosen by dens3r models use ({_file()})"
    if name == "geometric":
        return Choice("geometric", "", why)
    entry = find_entry(name, entries)
    if entry.path is None:
        raise ModelError(
            f"{name} is the default model, {why}, but its weights are not on this machine. Get them"
            f" with: dens3r models fetch {name}; or forget it with: dens3r models use auto"
        )
    return Choice(entry.engine, name, why)


def default_model() -> str | None:
    """The name that `dens3r models use` left, if any."""
    try:
        return _file().read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def use(name: str) -> None:
    """Make a model (or "geometric") the default; "auto" forgets the one chosen before."""
    if name == "auto":
        _file().unlink(missing_ok=True)
        return
    if name != "geometric" and find_entry(name).path is None:
        raise ModelError(
            f"the weights of {name} are not on this machine: dens3r models fetch {name}"
        )
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(name + "\n", encoding="utf-8")


def _file() -> Path:
    return config_dir() / "model"
