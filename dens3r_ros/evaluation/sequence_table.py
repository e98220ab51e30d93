# SPDX-License-Identifier: Apache-2.0
"""Figures of sequences as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from rich.table import Table

_COLUMNS = {
    "sequence": "sequence",
    "frames": "frames",
    "keyframes": "keyframes",
    "loops": "loops",
    "completeness": "posed",
    "path_m": "path m",
    "ate_sim3_m": "ATE Sim3 m",
    "ate_se3_m": "ATE SE3 m",
    "scale": "scale",
    "ate_chained_m": "chained m",
    "rpe_m": "RPE m",
    "rpe_deg": "RPE deg",
    "abs_rel": "AbsRel",
    "delta1": "delta1",
    "normal_median_deg": "normals deg",
    "coverage": "coverage",
    "chamfer_m": "Chamfer m",
    "frames_per_second": "frames/s",
}


def table(rows: Sequence[dict[str, object]]) -> Table:
    """One row a sequence."""
    shown = [name for name in _COLUMNS if any(name in row for row in rows)]
    result = Table(*(_COLUMNS[name] for name in shown))
    for row in rows:
        result.add_row(*(_text(row.get(name)) for name in shown))
    return result


def as_json(rows: Sequence[dict[str, object]]) -> str:
    """A list, one entry a sequence; figures that could not be had are null."""
    return json.dumps([_finite(row) for row in rows], indent=2)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
