# SPDX-License-Identifier: Apache-2.0
"""The figures of many pairs as one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dens3r_ros.evaluation.metrics.pose import pose_auc

_MEDIANS = (
    "point_error_a",
    "point_error_b",
    "focal_error",
    "confident_half_depth_error",
    "coverage",
    "parallax_share",
    "parallax_coverage",
    "parallax_depth_error",
    "encode_ms",
    "decode_ms",
)
_MEANS = (
    "abs_rel",
    "rmse",
    "delta1",
    "delta2",
    "delta3",
    "normal_mean_deg",
    "normal_median_deg",
    "normal_11",
    "normal_22",
    "normal_30",
    "match_1px",
    "match_3px",
    "match_4px",
    "match_5px",
    "matches",
)
_WRONG_DEGREES = 5.0


def summary(scores: list[dict]) -> dict:
    """What `dens3r evaluate pairs --json` writes; None for what no pair could tell.

    `coverage` is the share of the pixels of known depth that are confident. Of those that have
    parallax (the other view sees them too, from 1 degree aside), `parallax_share` among them,
    `parallax_coverage` are confident; `parallax_depth_error` is that of the most confident 60%.
    Medians over pairs for point errors, poses and focal lengths, means for depth, normals and
    matches. `wrong_share`: pairs with a pose that is off by more than 5 degrees in rotation.
    """
    rotation, translation = (_column(scores, name) for name in ("rotation_deg", "translation_deg"))
    worst = np.maximum(rotation, translation)
    posed = _column(scores, "posed") > 0
    found: dict[str, object] = {"pairs": len(scores)}
    found |= {name: _number(np.nanmedian, _column(scores, name)) for name in _MEDIANS}
    found |= {name: _number(np.nanmean, _column(scores, name)) for name in _MEANS}
    return found | {
        "rotation_deg_median": _number(np.median, rotation),
        "translation_deg_median": _number(np.median, translation),
        **{f"auc{limit}": pose_auc(worst, limit) for limit in (5, 10, 20)},
        "posed_share": _number(np.mean, posed),
        "wrong_share": _number(np.mean, posed & (rotation > _WRONG_DEGREES)),
        "confidence_deciles": _deciles(scores),
    }


def _column(scores: list[dict], name: str) -> np.ndarray:
    return np.array([score.get(name, np.nan) for score in scores], dtype=float)


def _number(reduce: Callable[[np.ndarray], float], values: np.ndarray) -> float | None:
    return None if np.isnan(values.astype(float)).all() else float(reduce(values))


def _deciles(scores: list[dict]) -> list[float] | None:
    """Median over pairs of the error of each tenth of the pixels, the most confident first."""
    rows = [score["confidence_deciles"] for score in scores if "confidence_deciles" in score]
    return np.median(rows, axis=0).tolist() if rows else None
