# SPDX-License-Identifier: Apache-2.0
"""Disk, the cache in the home folder, and the models that are on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from dens3r_ros.cli.health.finding import Finding, error, load, ok, warning

LITTLE_GIB = 5.0


def look_at_disk() -> list[Finding]:
    """Room for models, and whether they may be written."""
    places: Any = load("dens3r_ros.model_store.places")
    try:
        cache = Path(places.cache_dir())
    except RuntimeError as problem:
        fix = "export XDG_CACHE_HOME=/a/folder/you/may/write"
        return [warning("disk", f"no folder for models: {problem}", fix)]
    nearest = next(p for p in (cache, *cache.parents) if _exists(p))
    fix = "export XDG_CACHE_HOME=/a/folder/you/may/write; until then no model can be fetched"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [warning("disk", f"{cache} cannot be written ({nearest} is not writable)", fix)]
    free = shutil.disk_usage(nearest).free / 2**30
    found = f"{free:.1f} GiB free for {cache}"
    if free < LITTLE_GIB:
        return [warning("disk", found, "free some space: a large network takes 2 to 3 GiB")]
    return [ok("disk", found)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def look_at_models() -> list[Finding]:
    """The manifest's models that are here, with their hashes."""
    store: Any = load("dens3r_ros.model_store.manifest")
    if isinstance(store, str):
        return [error("models", f"the manifest cannot be read ({store})", "see the lines above")]
    try:
        entries = store.load_manifest()
        present = [(entry, entry.path) for entry in entries.values()]
    except (OSError, ValueError, RuntimeError) as problem:
        fix = "install dens3r_ros again: its models folder is incomplete"
        return [error("models", str(problem), fix)]
    findings = [_model(entry, path) for entry, path in present if path]
    if findings:
        return findings
    text = (
        f"none of the {len(entries)} known ones is on this machine; the geometric engine needs none"
    )
    return [ok("models", text)]


def _model(entry: Any, path: Path) -> Finding:
    name = f"model {entry.name}"
    fix = f"delete {path}, then: dens3r models fetch {entry.name}"
    try:
        digest = _sha256(path)
    except OSError as problem:
        return error(name, f"{path} cannot be read ({problem})", fix)
    if entry.sha256 and digest != entry.sha256:
        return error(name, f"{path} is damaged: SHA-256 {digest}, not {entry.sha256}", fix)
    return ok(name, f"{path}, SHA-256 {digest}{'' if entry.sha256 else ' (none known to compare)'}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
