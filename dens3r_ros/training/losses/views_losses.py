# SPDX-License-Identifier: Apache-2.0
"""What is minimised over sets of views: depth, points, cameras and rays, whatever the unit.

The first view is the reference, so its optical frame is the world. Truth and prediction are each
divided by the mean distance of all their valid points from the first camera.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dens3r_ros.network.multiview.any_view import AnyViewNetwork, AnyViewOutput
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.training.config import LossWeights, TrainingConfig
from dens3r_ros.training.losses.objectives import autocast
from dens3r_ros.training.losses.pointmap_losses import masked_mean, weighed_by_confidence
from dens3r_ros.training.losses.views_truth import (
    ViewsBatch,
    mean_distance,
    pixels,
    placed,
)


class ViewsObjective(nn.Module):
    """The losses of a network of many views."""

    def __init__(self, network: AnyViewNetwork, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        assert config.views is not None
        self._config, self._weights = config, config.views

    def forward(self, batch: ViewsBatch, weights: LossWeights) -> dict[str, Tensor]:
        """Every loss before weighing, and their weighted "total"."""
        found = self.predict(batch, rays=self._weights.rays > 0)
        losses = views_losses(found, batch, self._weights.confidence)
        total = sum(getattr(self._weights, name) * loss for name, loss in losses.items())
        return {**losses, "total": torch.as_tensor(total)}

    def predict(self, batch: ViewsBatch, rays: bool = False) -> ViewsPrediction:
        """What the network sees, with the first view as reference."""
        network, count = self.network, batch.images.shape[1]
        outputs: tuple[AnyViewOutput, ...] = ("depth", "cameras", "rays")
        with autocast(self._config, batch.images.device):
            tokens = network.encode(batch.images.transpose(0, 1).flatten(0, 1))
            scenes = len(batch.images)
            views = [tokens[n * scenes : (n + 1) * scenes] for n in range(count)]
            compared = network.backbone.decode(views, None)
        found = network.read(compared, tokens.grid, outputs if rays else outputs[:2])
        return ViewsPrediction(**found)

    def compile_parts(self) -> None:
        """Compile blocks, one by one."""
        # Every block, image size and number of views is a version of its own.
        torch._dynamo.config.cache_size_limit = 256
        for block in self.network.backbone.blocks:
            block.compile(dynamic=False)


def views_losses(found: ViewsPrediction, truth: ViewsBatch, alpha: float) -> dict[str, Tensor]:
    """Named as their weights in `ViewsTraining`; "rays" where they were predicted."""
    points, true = predicted_points(found), truth.points()
    own, unit = mean_distance(points, truth.valid), truth.unit()
    depth, confidence = _all(found.depth), _all(found.confidence)
    miss = (_over(depth, own) - _over(truth.depth, unit)).abs()
    apart = (_over(points, own) - _over(true, unit)).norm(dim=-1)
    losses = {
        "depth": weighed_by_confidence(miss, confidence, truth.valid, alpha),
        "points": masked_mean(apart, truth.valid),
        "cameras": _camera_loss(found, truth, own, unit),
    }
    if found.rays is not None:
        losses["rays"] = _ray_loss(found, truth, own, unit, alpha)
    return losses


def predicted_points(found: ViewsPrediction) -> Tensor:
    """(B, S, H, W, 3) in the network's world, of its depth and cameras."""
    return placed(_all(found.depth), predicted_K(found), _all(found.T_world_camera))


def predicted_K(found: ViewsPrediction) -> Tensor:
    """(B, S, 3, 3) with pixel centres at whole numbers, which the network has at halves."""
    K = _all(found.intrinsics).clone()
    K[..., :2, 2] -= 0.5
    return K


def _camera_loss(found: ViewsPrediction, truth: ViewsBatch, own: Tensor, unit: Tensor) -> Tensor:
    """Distance of centres, difference of rotation matrices and of fields of view (radians)."""
    T, true = _all(found.T_world_camera), truth.T_first_view
    centres = _over(T[..., :3, 3], own) - _over(true[..., :3, 3], unit)
    turns = (T[..., :3, :3] - true[..., :3, :3]).square().sum((-2, -1))
    height, width = truth.depth.shape[-2:]
    half = (height / 2 / truth.K[:, 1, 1], width / 2 / truth.K[:, 0, 0])
    fields = 2 * torch.stack(half, -1).atan()
    miss = (_all(found.pose_encoding)[..., 7:9] - fields[:, None]).abs()
    # A root has no gradient at 0, where a first view may come to stand exactly.
    return centres.abs().mean() + (turns + 1e-8).sqrt().mean() + miss.mean()


def _ray_loss(
    found: ViewsPrediction, truth: ViewsBatch, own: Tensor, unit: Tensor, alpha: float
) -> Tensor:
    """Mean difference of directions and of origins, with a confidence of their own."""
    rays, T = _all(found.rays), truth.T_first_view
    rows, columns = rays.shape[2:4]
    height, width = truth.depth.shape[-2:]
    cells = pixels(rows, columns, rays.device) + rays.new_tensor((0.5, 0.5, 0.0))
    cells = cells * rays.new_tensor((width / columns, height / rows, 1.0))
    cells = cells - rays.new_tensor((0.5, 0.5, 0.0))
    directions = torch.einsum(
        "bsij,hwj->bshwi", T[..., :3, :3] @ torch.linalg.inv(truth.K)[:, None], cells
    )
    origins = _over(T[..., :3, 3], unit)[:, :, None, None]
    miss = (rays[..., :3] - directions).abs().mean(-1)
    miss = miss + (_over(rays[..., 3:], own) - origins).abs().mean(-1)
    everywhere = torch.ones_like(miss, dtype=torch.bool)
    return weighed_by_confidence(miss, _all(found.rays_confidence), everywhere, alpha)


def _over(values: Tensor, unit: Tensor) -> Tensor:
    return values / unit.reshape(-1, *[1] * (values.ndim - 1))


def _all(value: Tensor | None) -> Tensor:
    assert value is not None
    return value
