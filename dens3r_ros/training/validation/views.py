# SPDX-License-Identifier: Apache-2.0
"""How well a network of many views does on held-out sets, beside the mean of all pointmaps."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.network.multiview.pose_encoding import invert
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.views import heldout_views, training_views
from dens3r_ros.training.losses.views_losses import ViewsObjective, predicted_K, predicted_points
from dens3r_ros.training.losses.views_truth import ViewsBatch
from dens3r_ros.training.validation.heldout import Numbers, Tally, angle_between, masked_median

_AT_ONCE = 64
_MEAN_OF, _MEAN_SHARE = 256, 4
"""Training sets that the mean pointmap is taken of: at most, and for each held-out set."""


class ViewsEvaluator:
    """The same held-out sets each time, of as many views as the run has at most."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        assert config.views is not None
        self._config, self._device = config, device
        self._views = max(config.views.counts)
        self._size: tuple[int, int] | None = None
        self._batches: list[ViewsBatch] = []
        self._mean: dict[str, float] = {}

    @torch.no_grad()
    def run(self, objective: ViewsObjective, size: tuple[int, int]) -> dict[str, float]:
        """Median errors over all held-out sets, and under mean_point_* what looking at no image
        has there."""
        self._prepare(size)
        tally = Tally()
        for batch in self._batches:
            found = objective.predict(batch)
            T = found.T_world_camera
            assert T is not None
            to_first = invert(T[:, :1])
            points = _moved(predicted_points(found), to_first)
            tally.add(point_errors(points, batch, "held_point"))
            tally.add(_camera_errors(to_first @ T, predicted_K(found), batch))
        return {**tally.summary(), **self._mean}

    def _prepare(self, size: tuple[int, int]) -> None:
        if size == self._size:
            return
        settings = self._config.evaluation
        self._batches = [
            heldout_views(
                first,
                min(settings.batch, settings.pairs - first),
                self._views,
                size,
                self._device,
            )
            for first in range(0, settings.pairs, settings.batch)
        ]
        guess, tally = self._mean_points(size), Tally()
        for batch in self._batches:
            points = guess.expand(len(batch.depth), -1, -1, -1, -1)
            tally.add(point_errors(points, batch, "mean_point"))
        self._size, self._mean = size, tally.summary()

    def _mean_points(self, size: tuple[int, int]) -> Tensor:
        """(S, H, W, 3): the mean over training sets, each in units of its mean distance."""
        width, height = size
        sums = torch.zeros(self._views, height, width, 3, device=self._device)
        counts = torch.zeros(self._views, height, width, 1, device=self._device)
        whole = min(_MEAN_OF, _MEAN_SHARE * self._config.evaluation.pairs)
        for first in range(0, whole, _AT_ONCE):
            count = min(_AT_ONCE, whole - first)
            batch = training_views(first, count, self._views, size, self._config, self._device)
            unit = batch.points() / batch.unit().reshape(-1, 1, 1, 1, 1)
            sums += torch.where(batch.valid[..., None], unit, 0).sum(0)
            counts += batch.valid.sum(0)[..., None]
        return sums / counts.clamp(min=1)


def point_errors(points: Tensor, truth: ViewsBatch, name: str) -> Numbers:
    """Median distance of points (B, S, H, W, 3) in the first view's frame from the truth, as a
    share of its distance from the first camera, after one factor for a set makes their lengths
    agree: NAME_a of the first view, NAME_b of all others; (B,) each."""
    true, valid = truth.points(), truth.valid
    far = true.norm(dim=-1)
    ratio = far / points.norm(dim=-1).clamp(min=1e-8)
    scale = masked_median(ratio.flatten(1), valid.flatten(1))
    miss = (points * scale.reshape(-1, 1, 1, 1, 1) - true).norm(dim=-1) / far.clamp(min=1e-8)
    return {
        f"{name}_a": masked_median(miss[:, 0].flatten(1), valid[:, 0].flatten(1)),
        f"{name}_b": masked_median(miss[:, 1:].flatten(1), valid[:, 1:].flatten(1)),
    }


def _camera_errors(T: Tensor, K: Tensor, truth: ViewsBatch) -> Numbers:
    """Of all views but the first, degrees, and the log ratio of focal lengths."""
    true = truth.T_first_view[:, 1:]
    turn = T[:, 1:, :3, :3] @ true[..., :3, :3].transpose(-1, -2)
    # The chord between rotations, which stays exact where they nearly agree.
    chord = (turn - torch.eye(3, device=turn.device)).square().sum((-2, -1)).sqrt()
    angle = torch.rad2deg(2 * torch.asin((chord / 8**0.5).clamp(max=1)))
    found, wanted = T[:, 1:, :3, 3], true[..., :3, 3]
    towards = torch.nn.functional.normalize
    direction = angle_between(towards(found, dim=-1), towards(wanted, dim=-1))
    focal = (K[..., 0, 0] / truth.K[:, None, 0, 0]).log().abs()
    return {
        "held_rotation_deg": angle.flatten(),
        "held_translation_deg": direction.flatten(),
        "held_focal": focal.flatten(),
    }


def _moved(points: Tensor, T: Tensor) -> Tensor:
    """Points (B, S, H, W, 3) taken by T (B, 1, 4, 4)."""
    moved = torch.einsum("bij,bshwj->bshwi", T[:, 0, :3, :3], points)
    return moved + T[:, :, None, None, :3, 3]
