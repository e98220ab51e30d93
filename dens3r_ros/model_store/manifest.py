# SPDX-License-Identifier: Apache-2.0
"""The models known by name, as `models/manifest.yaml` tells."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dens3r_ros.model_store.places import model_cache
from dens3r_ros.resources import resource_dir


class ModelError(ValueError):
    """A model that cannot be had; the message says what was found and what to do."""


@dataclass(frozen=True)
class Licence:
    """The terms of a model's weights."""

    name: str
    title: str
    url: str
    summary: str
    commercial: bool = False
    """Whether a company may use them."""
    free: bool = False
    """Whether nothing has to be agreed to beforehand."""


@dataclass(frozen=True)
class ModelEntry:
    """One model: where its file is to be had, and on what terms. What is not known is None."""

    name: str
    family: str
    description: str
    licence: Licence
    file: str
    url: str | None = None
    page: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    parameters: int | None = None
    metric: bool = False
    engine: str = "torch"
    """What runs it: torch, or hybrid, which adds geometry to a network of one image."""
    gated: bool = False
    """Whether its page must be signed, and a token sent, before it is given out."""

    @property
    def path(self) -> Path | None:
        """The model's file on this machine, shipped or fetched."""
        shipped, fetched = resource_dir("models") / self.file, model_cache() / self.file
        return next((path for path in (shipped, fetched) if path.is_file()), None)


def manifest_path() -> Path:
    """The manifest of this installation."""
    return resource_dir("models") / "manifest.yaml"


def load_manifest(path: Path | None = None) -> dict[str, ModelEntry]:
    """Every model by its name, in the manifest's order."""
    path = path or manifest_path()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        licences = {name: Licence(name, **terms) for name, terms in content["licences"].items()}
        return {name: _entry(name, fields, licences) for name, fields in content["models"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a manifest of models: {error}") from error


def _entry(name: str, fields: Mapping[str, Any], licences: Mapping[str, Licence]) -> ModelEntry:
    return ModelEntry(name, **{**fields, "licence": licences[fields["licence"]]})


def order_of_preference(path: Path | None = None) -> list[str]:
    """Names of the models that run where none is named, best first."""
    path = path or manifest_path()
    return [str(name) for name in yaml.safe_load(path.read_text(encoding="utf-8"))["order"]]


def find_entry(name: str, entries: Mapping[str, ModelEntry] | None = None) -> ModelEntry:
    """The model of that name, or an error that names the closest ones."""
    entries = load_manifest() if entries is None else entries
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, entries, n=2) or list(entries)
    raise ModelError(f"no model is named {name!r}; there are, for example: {', '.join(close)}")


def resolve_model(model: str | Path) -> Path:
    """The file or folder meant by a path or by a name of the manifest."""
    path = Path(model).expanduser()
    if path.exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise ModelError(f"there is no file or folder {path}")
    entry = find_entry(str(model))
    found = entry.path
    if found is None:
        raise ModelError(
            f"the weights of {entry.name} are not on this machine; they are {entry.licence.name}."
            f" Get them with: dens3r models fetch {entry.name}"
        )
    return found
