# SPDX-License-Identifier: Apache-2.0
"""What moves by optical flow that the camera's own motion does not explain (MonST3R)."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.moving.masks import MovingMasks, name_of
from dens3r_ros.engines.moving.pairs import arrivals
from dens3r_ros.engines.moving.running import RunningMap
from dens3r_ros.engines.preprocess import resample, upright
from dens3r_ros.engines.protocol import Engine, Features, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.ego_flow import MOVING_FROM, PosedView, ego_flow, flow_error
from dens3r_ros.geometry.pair_scene import DirectedPair, PairScene, scene_from_pair
from dens3r_ros.geometry.two_views.flow import two_way_flow

_POINTS = Outputs("ab", "", "")
_RETURNS = 3.0
"""Pixels from itself that one with a partner comes back to."""
_LEAST_CONFIDENCE = 1.5
"""Of pixels that a pair's pose is taken from; three, as published, where enough are so sure."""


def masks_by_flow(engine: Engine, frames: Iterable[Frame]) -> MovingMasks:
    """Masks of a run of images, each of which is encoded once and decoded with ten others.

    The flow is DIS's, which is wild where a pixel has no partner: such pixels of a pair say
    nothing. Cameras and depths are those of each pair by itself; pairs without a pose say nothing
    either. A pair's largest error counts as 1, so that a run in which nothing moves loses something
    too.
    """
    masks, names = MovingMasks(), {}
    errors: dict[int, RunningMap] = {}
    for arrival in arrivals(engine, frames):
        for number, partner in arrival.partners.items():
            assert arrival.features is not None
            found = _errors(engine, partner, arrival.features)
            for image, error in zip((number, arrival.number), found, strict=False):
                errors.setdefault(image, RunningMap()).add(error)
        if arrival.features is not None:
            names[arrival.number] = name_of(arrival.features.frame.image)
        for number in arrival.finished:
            if number in errors:
                masks.put(names[number], errors.pop(number).value > MOVING_FROM)
    return masks


def _errors(engine: Engine, a: Features, b: Features) -> list[np.ndarray]:
    """(H, W) from 0 to 1 of both images, NaN where not known; none where the pair has no pose."""
    scene = _scene(_directed(engine, a, b), _directed(engine, b, a))
    if scene is None:
        return []
    seen = two_way_flow(_grey(a), _grey(b))
    views = [
        PosedView(torch.from_numpy(camera.K), T, depth.double())
        for camera, T, depth in zip(
            scene.intrinsics, scene.T_world_camera, scene.depths, strict=True
        )
    ]
    ways = (
        (views[0], views[1], seen.forward, seen.forward_error),
        (views[1], views[0], seen.backward, seen.backward_error),
    )
    return [
        _known_error(ego_flow(one, other), _planes(flow), left < _RETURNS)
        for one, other, flow, left in ways
    ]


def _known_error(expected: Tensor, seen: Tensor, returns: np.ndarray) -> np.ndarray:
    """`flow_error` of the pixels that have a partner."""
    known, error = torch.from_numpy(returns), torch.full(expected.shape[1:], torch.nan)
    if known.sum() > 1:
        error[known] = flow_error(expected[:, known], seen[:, known]).float()
    return error.numpy()


def _scene(forth: DirectedPair, back: DirectedPair) -> PairScene | None:
    for least in (3.0, _LEAST_CONFIDENCE):
        try:
            return scene_from_pair(forth, back, least)
        except ValueError:
            continue
    return None


def _directed(engine: Engine, a: Features, b: Features) -> DirectedPair:
    found = engine.decode([(a, b)], _POINTS)
    maps = found.points_a, found.points_b, found.confidence_a, found.confidence_b
    values = [None if one is None else one[0].float().cpu() for one in maps]
    if any(one is None for one in values):
        raise ValueError(f"engine {engine.info.name} gives no points of both views")
    return DirectedPair(*values)  # type: ignore[arg-type]


def _grey(features: Features) -> np.ndarray:
    pixels = resample(features.frame.image, upright(features.placement))
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _planes(flow: np.ndarray) -> Tensor:
    return torch.from_numpy(flow).permute(2, 0, 1).double()
