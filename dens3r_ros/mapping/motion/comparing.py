# SPDX-License-Identifier: Apache-2.0
"""What an older image tells of what moves: flow that the camera's own motion does not explain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.mapping.motion.ego import EgoFlow, ego_flow, grid, sampled, without_pose_error
from dens3r_ros.mapping.motion.look import Look

_FLOW_ERROR = 0.3
"""Pixels by which flow errs, and the share of a flow by which it does beside that."""
_FLOW_SHARE = 0.05
_MOVES = 2.5
"""Standard deviations of flow from which on it speaks for motion."""
_BY_FLOW, _STILL, _COVERED = 2.5, -1.0, 0.8
"""Logarithms of odds that one comparison adds at most: where flow is not what the camera makes of
it, where the image is as expected, and where it is not and nothing is like it nearby."""
_BLAND = 0.3
"""Share of it where there is nothing to tell the images apart by."""
_FAINT = -0.3
"""The same where the image is as expected though flow is not."""
_PACKED = 0.5
"""Growth along a flow below which it is not believed to tell of motion."""
_NOISE = 7.0
"""Grey levels by which images of the same differ."""
_SLOPE = 0.5
"""Pixels by which what is the same may lie apart, times the image's slope."""
_KNOWN = 0.3
"""Standard deviation of the logarithm of a depth below which it says what hides what."""
_BEHIND = 1.1
"""Times the depth seen there from which on a point was hidden."""


@dataclass(frozen=True, eq=False)
class Compared:
    """(h, w): what to add to the logarithm of the odds that a pixel moves, and whether it was found
    in the older image."""

    odds: np.ndarray
    found: np.ndarray


def compare(now: Look, then: Look, whole: np.ndarray | None = None) -> Compared:
    """Ask an older view of the same camera, placed against the same keyframe; `whole` is the flow
    (h, w, 2) to it, the camera's share included, where that is known."""
    T_then_now = np.linalg.inv(then.T_keyframe_camera) @ now.T_keyframe_camera
    ego = ego_flow(now.depth, now.camera, T_then_now, then.camera)
    here, there = now.grey.astype(np.float32), then.grey.astype(np.float32)
    brought = _alike(here, sampled(there, ego.x, ego.y, 0), ego.seen)
    if whole is None:
        flow = dense_flow(now.grey, brought.clip(0, 255).astype(np.uint8), finest=1)
        shifted = _shifted(brought, flow)
    else:
        x, y = grid(*here.shape)
        flow = whole - np.dstack((ego.x - x, ego.y - y))
        shifted = _alike(here, _shifted(there, whole), ego.seen)
    plain, moved = _unlike(here, brought), _unlike(here, shifted)
    textured = _textured(here, brought)
    trust = ego.seen * textured * (moved < 1) / (1 + np.exp(now.odds))
    off = without_pose_error(flow, now.depth, now.camera, trust.astype(np.float32))
    size = _in_deviations(off, now.sigma, ego)
    found = moved < 1
    odds = _judged(size, plain, moved, textured, now.sigma)
    doubtful = _uncovered(then, ego, flow, found) | (_packed(flow) < _PACKED)
    odds[(odds > 0) & doubtful] = 0
    odds *= ego.seen
    return Compared(odds.astype(np.float32), found & ego.seen)


def _packed(flow: np.ndarray) -> np.ndarray:
    """(h, w) by how much surroundings grow along a flow: what has just been uncovered lies there
    on no place of its own, and so between its neighbours'."""
    smooth = cv2.blur(flow, (3, 3))
    by_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    by_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    grown = (1 + by_x[..., 0]) * (1 + by_y[..., 1]) - by_x[..., 1] * by_y[..., 0]
    return np.asarray(cv2.erode(grown, np.ones((3, 3), np.uint8)))


def _uncovered(then: Look, ego: EgoFlow, flow: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels that something hid then, by the map or because it moved there; what is
    seen of that itself lies where it moved too."""
    hidden = ego.depth > _BEHIND * sampled(then.depth, ego.x, ego.y, 0)
    hidden &= sampled(then.sigma, ego.x, ego.y, 1) < _KNOWN
    moved_there = sampled(then.odds, ego.x, ego.y, 0) > 0
    itself = sampled(then.odds, ego.x + flow[..., 0], ego.y + flow[..., 1], 0) > 0
    return (hidden & ~found) | (moved_there & ~(found & itself))


def _judged(
    size: np.ndarray, plain: np.ndarray, moved: np.ndarray, textured: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """(h, w) logarithm of odds: by flow where the images agree along it, by their difference where
    they agree nowhere."""
    by_flow = np.clip((size - _MOVES) * 0.7, _STILL, _BY_FLOW)
    by_flow *= np.where(plain > 1, 1, np.where(by_flow > 0, _FAINT, textured.clip(_BLAND, 1)))
    unlike = np.clip(np.minimum(plain, moved) - 1, 0, 1) * _COVERED
    unlike = np.where(sigma < _KNOWN, unlike, _BLAND * unlike)
    return np.where(moved < 1, by_flow, unlike)


def _in_deviations(off: np.ndarray, sigma: np.ndarray, ego: EgoFlow) -> np.ndarray:
    """(h, w) length of offsets in standard deviations: along its epipolar line a pixel's depth may
    be wrong."""
    flow_error = _FLOW_ERROR + _FLOW_SHARE * _length(off[..., 0], off[..., 1])
    along = _length(ego.along_x, ego.along_y)
    ux, uy = ego.along_x / np.maximum(along, 1e-6), ego.along_y / np.maximum(along, 1e-6)
    on = off[..., 0] * ux + off[..., 1] * uy
    across = off[..., 1] * ux - off[..., 0] * uy
    still = along < 1e-6
    across[still] = _length(off[still, 0], off[still, 1])
    by_depth = _length(flow_error, sigma * along)
    return _length(on / by_depth, across / flow_error)


def _length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """That of vectors; `np.hypot` takes several times as long."""
    return np.asarray(np.sqrt(x * x + y * y))


def _alike(here: np.ndarray, brought: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """An image with the brightness and contrast of another one where both are `seen`; elsewhere
    that other one."""
    if seen.sum() < 100:
        return here
    mine, its = (
        cv2.meanStdDev(here, mask=seen.view(np.uint8)),
        cv2.meanStdDev(brought, mask=seen.view(np.uint8)),
    )
    gain = float(np.clip(mine[1][0, 0] / max(its[1][0, 0], 1.0), 0.7, 1.4))
    even = (brought - its[0][0, 0]) * gain + mine[0][0, 0]
    return np.where(seen, even, here).astype(np.float32)


def _unlike(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(h, w) difference of two images; 1 is what noise and a slight shift may make of it."""
    difference = cv2.blur(np.abs(here - there), (3, 3))
    return difference / (_NOISE + _SLOPE * _slope(here))


def _slope(image: np.ndarray) -> np.ndarray:
    x = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    y = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    return cv2.blur(np.abs(x) + np.abs(y), (3, 3))


def _textured(here: np.ndarray, brought: np.ndarray) -> np.ndarray:
    """(h, w) 0 to 1: whether there is something by which the images could be told apart."""
    slope = np.maximum(_slope(here), _slope(brought))
    return np.minimum(slope / _NOISE, 1)


def _shifted(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    x, y = grid(*image.shape)
    return cv2.remap(
        image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def dense_flow(here: np.ndarray, there: np.ndarray, finest: int = 0) -> np.ndarray:
    """(h, w, 2) float32 from one image (h, w) uint8 to another; `finest` is the power of two by
    which the finest level of the search is reduced."""
    return _search(finest).calc(here, there, None)  # type: ignore[call-overload]


def _search(finest: int) -> cv2.DISOpticalFlow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(finest)
    search.setPatchStride(4)
    search.setGradientDescentIterations(8)
    search.setVariationalRefinementIterations(0)
    return search
