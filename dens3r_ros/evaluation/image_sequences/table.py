# SPDX-License-Identifier: Apache-2.0
"""Figures of sequences as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence

from rich.table import Table

_ROWS = {
    "engine": "engine",
    "network": "network",
    "network_runs": "network run so often",
    "frames": "frames",
    "decoded": "decoded",
    "decodings": "decodings in all",
    "encodings": "encodings in all",
    "completeness": "share of frames posed",
    "live": "posed when they came",
    "keyframes": "keyframes",
    "loops": "loops",
    "wrong_loops": "of which wrong",
    "epochs": "epochs",
    "pieces": "pieces of the map",
    "path_m": "path, m",
    "ate_sim3_m": "ATE after Sim(3), m",
    "ate_se3_m": "ATE after SE(3), m",
    "scale_source": "metres by",
    "scale_missing": "why not",
    "scale_known_after_s": "metres after, s",
    "gravity_deg": "gravity off by, degrees",
    "end_error_m": "end seen from start off by, m",
    "scale": "scale",
    "scale_error": "metres off by",
    "scale_sigma": "told deviation of metres",
    "grid_free_iou": "plan: IoU of free",
    "grid_occupied_iou": "plan: IoU of occupied, within a cell",
    "grid_free_in_walls": "plan: free cells within things",
    "grid_known": "plan: share of the free floor seen",
    "grid_missing": "no plan",
    "ate_chained_m": "ATE of chained pairs, m",
    "rpe_m": "RPE, m a frame",
    "rpe_deg": "RPE, degrees a frame",
    "abs_rel": "depth AbsRel",
    "delta1": "depth delta1",
    "normal_mean_deg": "normals mean, degrees",
    "normal_median_deg": "normals median, degrees",
    "coverage": "coverage",
    "second_pass_5cm": "seen again within 5 cm",
    "chamfer_m": "Chamfer, m",
    "frames_per_second": "frames/s",
}


def table(rows: Sequence[dict[str, object]]) -> Table:
    """One column a run, one row a figure; from three runs on also their medians."""
    result = Table("", *(str(row["sequence"]) for row in rows), box=None)
    if len(rows) > 2:
        result.add_column("median", style="bold")
    for name, label in _ROWS.items():
        if any(name in row for row in rows):
            values = [row.get(name) for row in rows]
            result.add_row(label, *map(_text, values), *_median(values, len(rows) > 2))
    return result


def _median(values: Sequence[object], wanted: bool) -> list[str]:
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    return [_text(statistics.median(numbers)) if numbers else ""] if wanted else []


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
