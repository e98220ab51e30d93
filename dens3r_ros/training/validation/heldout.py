# SPDX-License-Identifier: Apache-2.0
"""How well a network does on pairs that it never learns from."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.training.losses.matching_loss import match_precision
from dens3r_ros.training.losses.pointmap_losses import Pointmaps, ray_focal
from dens3r_ros.training.losses.truth import PairTruth

Numbers = dict[str, Tensor]


def pair_errors(there: PairPrediction, back: PairPrediction | None, truth: PairTruth) -> Numbers:
    """Errors of each pair of a batch (B,), NaN where a pair has none, named as in the log.

    `there` is the prediction of (a, b), `back` that of (b, a), which the pose needs.
    """
    errors: Numbers = {}
    if there.points_a is not None and there.points_b is not None:
        predicted = Pointmaps(there.points_a, there.points_b)
        errors.update(_point_errors(predicted, truth))
        focal = ray_focal(predicted.a, truth.a.valid)
        errors["held_focal"] = (focal / truth.a.focal).log().abs()
        if back is not None and back.points_a is not None:
            errors.update(_pose_errors(there.points_b, back.points_a, truth))
    if there.normals_a is not None and there.normals_b is not None:
        angles = [
            angle_between(normals, view.normals)
            for normals, view in ((there.normals_a, truth.a), (there.normals_b, truth.b))
        ]
        valid = torch.cat([truth.a.valid.flatten(1), truth.b.valid.flatten(1)], 1)
        both = torch.cat([angle.flatten(1) for angle in angles], 1)
        errors["held_normal_deg"] = masked_median(both, valid)
    if there.descriptors_a is not None and there.descriptors_b is not None:
        errors["held_match_4px"] = match_precision(
            there.descriptors_a, there.descriptors_b, truth.matches, 4.0
        )
    return errors


class Tally:
    """Errors of many batches, told as medians over pairs (matches as their mean share)."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, errors: Numbers) -> None:
        """Take in a batch."""
        for name, values in errors.items():
            self._values[name].append(values.float().cpu())

    def summary(self) -> dict[str, float]:
        """One number for each kind of error."""
        whole = {name: torch.cat(values) for name, values in self._values.items()}
        middle = {name: values.nanmedian() for name, values in whole.items()}
        if "held_match_4px" in whole:
            middle["held_match_4px"] = whole["held_match_4px"].nanmean()
        return {name: float(value) for name, value in middle.items()}


def masked_median(values: Tensor, mask: Tensor) -> Tensor:
    """(B,) medians of (B, N) values where `mask` holds."""
    return torch.where(mask, values, torch.nan).nanmedian(1).values


def angle_between(a: Tensor, b: Tensor) -> Tensor:
    """Degrees between (..., 3) unit vectors, also where they nearly agree."""
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1)))


def _point_errors(predicted: Pointmaps, truth: PairTruth) -> Numbers:
    true, valid = truth.pointmaps(), truth.masks()
    near, far = predicted.a.norm(dim=-1), true.a.norm(dim=-1)
    scale = masked_median((far / near.clamp(min=1e-8)).flatten(1), valid.a.flatten(1))
    errors = {}
    for view in ("a", "b"):
        wanted = getattr(true, view)
        miss = (getattr(predicted, view) * scale[:, None, None, None] - wanted).norm(dim=-1)
        relative = miss / wanted.norm(dim=-1).clamp(min=1e-8)
        errors[f"held_point_{view}"] = masked_median(
            relative.flatten(1), getattr(valid, view).flatten(1)
        )
    return errors


def _pose_errors(b_in_a: Tensor, b_in_b: Tensor, truth: PairTruth) -> Numbers:
    """Of the similarity that carries b's points from its own frame to a's."""
    weights = truth.b.valid.flatten(1).float()
    try:
        T = register_similarity(b_in_b.flatten(1, 2), b_in_a.flatten(1, 2), weights).float()
    except ValueError:  # a network that knows nothing yet may put all points on one line
        return {}
    scale = torch.linalg.det(T[:, :3, :3]).clamp(min=1e-12) ** (1 / 3)
    true = truth.b.T_other_own
    turn = T[:, :3, :3] / scale[:, None, None] @ true[:, :3, :3].transpose(1, 2)
    sine = torch.stack(
        [
            turn[:, 2, 1] - turn[:, 1, 2],
            turn[:, 0, 2] - turn[:, 2, 0],
            turn[:, 1, 0] - turn[:, 0, 1],
        ]
    ).norm(dim=0)
    cosine = turn.diagonal(dim1=1, dim2=2).sum(1) - 1
    rotation = torch.rad2deg(torch.atan2(sine, cosine))
    wanted, found = true[:, :3, 3], T[:, :3, 3]
    direction = angle_between(
        torch.nn.functional.normalize(found, dim=1), torch.nn.functional.normalize(wanted, dim=1)
    )
    moved = wanted.norm(dim=1) > 1e-3
    return {
        "held_rotation_deg": rotation,
        "held_translation_deg": torch.where(moved, direction, torch.nan),
    }
