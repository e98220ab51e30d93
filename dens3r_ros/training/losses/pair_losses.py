# SPDX-License-Identifier: Apache-2.0
"""All losses of the recipe on one batch of pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.training.config import LossWeights, Matching
from dens3r_ros.training.losses.matching_loss import matching_loss
from dens3r_ros.training.losses.normal_losses import normals_loss, pointmap_normals_loss
from dens3r_ros.training.losses.pointmap_losses import (
    Masks,
    Pointmaps,
    focal_error,
    intrinsic_invariant_errors,
    masked_mean,
    metric_errors,
    scale_invariant_errors,
    weighed_by_confidence,
)
from dens3r_ros.training.losses.truth import PairTruth


def pair_losses(
    prediction: PairPrediction,
    truth: PairTruth,
    weights: LossWeights,
    matching: Matching,
    reference_focal: float,
    metric: bool = False,
) -> dict[str, Tensor]:
    """Every loss whose weight is not 0, before weighing, by the names of `LossWeights`.

    reference_focal is in units of the image's longer side.
    """
    losses: dict[str, Tensor] = {}
    if prediction.points_a is not None:
        losses.update(_points_losses(prediction, truth, weights, reference_focal, metric))
    if weights.matching and prediction.descriptors_a is not None:
        losses["matching"] = _matching(prediction, truth, weights.confidence, matching)
    if weights.normals and prediction.normals_a is not None:
        losses["normals"] = _normals_losses(prediction, truth)
    return losses


def total_loss(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * loss for name, loss in losses.items()]).sum()


def _points_losses(
    prediction: PairPrediction,
    truth: PairTruth,
    weights: LossWeights,
    reference_focal: float,
    metric: bool,
) -> dict[str, Tensor]:
    predicted = Pointmaps(_given(prediction.points_a), _given(prediction.points_b))
    true, valid, focal = truth.pointmaps(), truth.masks(), truth.a.focal
    losses: dict[str, Tensor] = {}
    if weights.points:
        errors = (metric_errors if metric else scale_invariant_errors)(predicted, true, valid)
        losses["points"] = _regression(errors, prediction, valid, weights.confidence)
    if weights.canonical:
        reference = reference_focal * max(true.a.shape[1:3])
        errors = intrinsic_invariant_errors(predicted, true, valid, focal, reference)
        losses["canonical"] = _regression(errors, prediction, valid, weights.confidence)
    if weights.focal:
        losses["focal"] = focal_error(predicted, valid, focal)
    if weights.pointmap_normals:
        smooth = truth.smooth()
        loss_a = pointmap_normals_loss(predicted.a, true.a, smooth.a)
        loss_b = pointmap_normals_loss(predicted.b, true.b, smooth.b)
        losses["pointmap_normals"] = (loss_a + loss_b) / 2
    return losses


def _matching(
    prediction: PairPrediction, truth: PairTruth, alpha: float, settings: Matching
) -> Tensor:
    descriptors = _given(prediction.descriptors_a), _given(prediction.descriptors_b)
    if prediction.descriptor_confidence_a is None:
        return matching_loss(descriptors, truth.matches, settings)
    confidence_b = _given(prediction.descriptor_confidence_b)
    confidence = prediction.descriptor_confidence_a, confidence_b
    return matching_loss(descriptors, truth.matches, settings, confidence, alpha)


def _normals_losses(prediction: PairPrediction, truth: PairTruth) -> Tensor:
    loss_a = normals_loss(_given(prediction.normals_a), truth.a.normals, truth.a.valid)
    loss_b = normals_loss(_given(prediction.normals_b), truth.b.normals, truth.b.valid)
    return (loss_a + loss_b) / 2


def _regression(
    errors: tuple[Tensor, Tensor], prediction: PairPrediction, valid: Masks, alpha: float
) -> Tensor:
    if not alpha or prediction.confidence_a is None:
        return masked_mean(errors[0], valid.a) + masked_mean(errors[1], valid.b)
    confidence_b = _given(prediction.confidence_b)
    loss_a = weighed_by_confidence(errors[0], prediction.confidence_a, valid.a, alpha)
    return loss_a + weighed_by_confidence(errors[1], confidence_b, valid.b, alpha)


def _given(maps: Tensor | None) -> Tensor:
    if maps is None:
        raise ValueError("the network gives this map of one view only")
    return maps
