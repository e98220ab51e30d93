# SPDX-License-Identifier: Apache-2.0
"""The kinds of files of published numbers, and what compares each of them."""

from __future__ import annotations

import logging
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from types import ModuleType
from typing import Any

from dens3r_ros.evaluation.parity.algorithms import (
    alignment,
    matching,
    moving_masks,
    pair_graphs,
    pair_scene,
    preprocessing,
    sparse_alignment,
)
from dens3r_ros.evaluation.parity.comparison import Comparison, LeftOut, not_compared
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.evaluation.parity.networks import (
    attention_masks,
    depth_anything,
    depth_anything_single,
    key_tables,
    moge,
    mvdust3r,
    noposplat,
    pairwise,
    pairwise_descendants,
    reloc3r,
    retrieval,
    spann3r,
    vggt,
)
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights
from dens3r_ros.evaluation.parity.report import FileReport, report_of

_LOG = logging.getLogger(__name__)
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Kind:
    """One kind of file: its name, how it is told, and how it is compared."""

    name: str
    recognises: Callable[[Fixture], bool]
    compare: Callable[[Fixture], Iterator[Comparison]]


def _kind(module: ModuleType) -> Kind:
    return Kind(module.NAME, module.recognises, module.compare)


def _descendant(weights: str, name: str) -> Kind:
    return Kind(name, lambda f: kind_of_weights(f) == weights, pairwise_descendants.compare)


KINDS = tuple(
    _kind(module)
    for module in (
        pair_graphs,
        preprocessing,
        matching,
        pair_scene,
        alignment,
        moving_masks,
        sparse_alignment,
        attention_masks,
        depth_anything,
        depth_anything_single,
        key_tables,
        moge,
        mvdust3r,
        noposplat,
        pairwise,
        reloc3r,
        retrieval,
        spann3r,
        vggt,
    )
) + tuple(starmap(_descendant, pairwise_descendants.NAMES.items()))


def fixture_files(path: Path) -> list[Path]:
    """All files of numbers in a folder and below, or the one file that is named."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".npz", ".json"))


def check(path: Path) -> FileReport:
    """Compare one file; whatever is wrong with it is in the report."""
    start = time.perf_counter()
    try:
        fixture = Fixture(path)
    except _UNREADABLE as error:
        return FileReport(path, "", "failed", message=f"cannot be read: {error}")
    kind = next((kind for kind in KINDS if kind.recognises(fixture)), None)
    if kind is None:
        return FileReport(path, "", "unknown", message=_what_it_holds(fixture))
    try:
        comparisons = list(kind.compare(fixture))
    except LeftOut as reason:
        return FileReport(path, kind.name, "left out", message=str(reason))
    except (*_UNREADABLE, LookupError, RuntimeError, TypeError) as error:
        _LOG.debug("%s", path, exc_info=True)
        return FileReport(path, kind.name, "failed", message=f"{type(error).__name__}: {error}")
    comparisons += [
        not_compared("", name, "an output that is not known here")
        for name in fixture.unread_outputs()
    ]
    return report_of(path, kind.name, comparisons, time.perf_counter() - start)


def _what_it_holds(fixture: Fixture) -> str:
    names = sorted(fixture.names) or _keys_of(fixture.content)
    listed = ", ".join(map(str, names[:4])) or "nothing"
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"a kind of file not known here; it holds {listed}{more}"


def _keys_of(content: Any) -> list[Any]:
    if not isinstance(content, dict):
        return []
    inner = content.get("keys")
    return list(inner if isinstance(inner, dict) else content)
