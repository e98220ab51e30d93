# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves, from optical flow and cameras (`monst3r_mask.npz`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, absolute, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.ego_flow import (
    MOVING_FROM,
    PosedView,
    consistent_flow,
    ego_flow,
    flow_error,
    moving_masks,
)

NAME = "moving masks"
_FLOW_TOLERANCE_PX = 1e-4
# Nearer than this to the threshold a pixel may fall on either side of it.
_UNDECIDED = 1e-5


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds flow, posed pairs and masks."""
    return {"flow_ij", "flow_ji", "pair_pose", "pair_depth", "mask"} <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Flow of the camera's motion, masks at all thresholds, flow that agrees with itself."""
    edges = fixture.array("edges")
    flows = fixture.tensor("flow_ij").float(), fixture.tensor("flow_ji").float()
    expected = _ego_flows(fixture)
    for name, value in zip(("ego_ij", "ego_ji"), expected, strict=True):
        published = fixture.array(name)
        yield absolute("", name, value, published, _FLOW_TOLERANCE_PX, "pixels")
    errors: dict[int, list[Tensor]] = {}
    for couple, (i, j) in enumerate(edges[: len(expected[0])].tolist()):
        errors.setdefault(i, []).append(flow_error(expected[0][couple], flows[0][couple]))
        errors.setdefault(j, []).append(flow_error(expected[1][couple], flows[1][couple]))
    yield _masks("mask", errors, MOVING_FROM, fixture.array("mask"))
    thresholds = fixture.array("mask_other_thresholds").tolist()
    published_masks = fixture.array("masks_at_other_thresholds")
    for threshold, published in zip(thresholds, published_masks, strict=True):
        yield _masks(f"mask from {threshold:g}", errors, threshold, published)
    for name, (forth, back) in (("flow_valid_i", flows), ("flow_valid_j", flows[::-1])):
        found = torch.stack([consistent_flow(*pair) for pair in zip(forth, back, strict=True)])
        yield share_differing("", name, found, fixture.array(name))


def _ego_flows(fixture: Fixture) -> tuple[Tensor, Tensor]:
    parts = (fixture.tensor(f"pair_{name}") for name in ("K", "pose", "depth"))
    couples = [
        [PosedView(*view) for view in zip(*couple, strict=True)]
        for couple in zip(*parts, strict=True)
    ]
    forth = torch.stack([ego_flow(a, b) for a, b in couples])
    back = torch.stack([ego_flow(b, a) for a, b in couples])
    return forth, back


def _masks(
    name: str, errors: dict[int, list[Tensor]], threshold: float, published: np.ndarray
) -> Comparison:
    masks = moving_masks(errors, threshold)
    means = {image: torch.stack(maps).mean(dim=0) for image, maps in errors.items()}
    differs = [
        (masks[image].numpy() != published[image])
        & ((means[image] - threshold).abs() > _UNDECIDED).numpy()
        for image in masks
    ]
    return Comparison("", name, float(np.mean(differs)), 0.0, "of entries")
