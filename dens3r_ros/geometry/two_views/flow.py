# SPDX-License-Identifier: Apache-2.0
"""Dense correspondence of two images: optical flow both ways, and how well the two ways agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

_OUTSIDE = 1e4
_SURROUNDINGS = 9
_LEAST_CONTRAST = 1.0
_CELL = 16
_HOMOGRAPHY_PIXELS = 12.0
_NEAREST_TRACKS = 4
_MOST_TRACKS = 150
_LEAST_REACH = 15.0
_TOWARDS_HOMOGRAPHY = 0.05


@dataclass(frozen=True, eq=False)
class TwoWayFlow:
    """Where pixels of each image lie in the other, as offsets in pixels.

    forward, backward                   (H, W, 2) float32: a to b, and b to a
    forward_error, backward_error       (H, W) float32: how far from itself a pixel comes back
                                        after going there and back, huge where it leaves the image
    shown                               share of pixels that were not ignored; the others never come
                                        back
    """

    forward: np.ndarray
    backward: np.ndarray
    forward_error: np.ndarray
    backward_error: np.ndarray
    shown: float = 1.0

    @property
    def agreement(self) -> float:
        """Share of all pixels that come back to within one pixel."""
        back = float(((self.forward_error < 1).mean() + (self.backward_error < 1).mean()) / 2)
        return back / max(self.shown, 1e-9)


def two_way_flow(
    grey_a: np.ndarray,
    grey_b: np.ndarray,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    finest_scale: int = 0,
    ignored: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> TwoWayFlow:
    """Flow between (H, W) uint8 images, from a start forwards and backwards if one is given.

    `finest_scale` is the power of two by which the finest level of the search is reduced. What is
    `ignored` in either image (H, W) uint8, where not 0, follows its start and draws nothing along;
    from rest it does, since else all would be drawn to rest.
    """
    search = _search(finest_scale)
    if start is None:
        forward, backward = _found(search, grey_a, grey_b), _found(search, grey_b, grey_a)
    else:
        forward = _flow_from(start[0], grey_a, grey_b, search, ignored)
        backward = _flow_from(start[1], grey_b, grey_a, search, ignored[::-1])
    errors = return_error(forward, backward), return_error(backward, forward)
    if ignored[0] is None and ignored[1] is None:
        return TwoWayFlow(forward, backward, *errors)
    hidden = _hidden(forward, *ignored), _hidden(backward, *ignored[::-1])
    for error, gone in zip(errors, hidden, strict=True):
        error[gone] = _OUTSIDE
    shown = 1 - float(hidden[0].mean() + hidden[1].mean()) / 2
    return TwoWayFlow(forward, backward, *errors, shown)


def _hidden(there: np.ndarray, own: np.ndarray | None, its: np.ndarray | None) -> np.ndarray:
    """(H, W) bool: pixels that are ignored, or come to where the other image is."""
    found = np.zeros(there.shape[:2], bool) if own is None else own > 0
    return found if its is None else found | (_brought(its, there, cv2.BORDER_CONSTANT) > 0)


def return_error(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """(H, W) float32: how many pixels from itself each pixel comes back."""
    returned = _brought(back, there, cv2.BORDER_CONSTANT, (_OUTSIDE,) * 2)
    return length(*cv2.split(there + returned))


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Lengths of vectors, the same in every run: OpenCV's depend on where in memory they lie."""
    return np.sqrt(x * x + y * y)


def likeness(grey: np.ndarray, other: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(H, W) float32: correlation, -1 to 1, of each pixel's surroundings in both images."""
    a = grey.astype(np.float32)
    b = _brought(other.astype(np.float32), there, cv2.BORDER_CONSTANT)
    mean_a, mean_b = _around(a), _around(b)
    shared = _around(a * b) - mean_a * mean_b
    spread = (_around(a * a) - mean_a**2) * (_around(b * b) - mean_b**2)
    return shared / np.sqrt(np.maximum(spread, _LEAST_CONTRAST))


def landing(flow: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32: x and y of where every pixel lies in the other image."""
    return flow + _pixels(*flow.shape[:2])


def flow_from_tracks(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """(H, W, 2) float32 offsets that follow tracks (N, 2), N >= 4: a homography for all,
    bent to the tracks nearby. Of very many only some are used."""
    height, width = size
    few = slice(None, None, -(-len(pixels_a) // _MOST_TRACKS))
    pixels_a, pixels_b = pixels_a[few], pixels_b[few]
    H = _dominant_homography(pixels_a, pixels_b)
    columns, rows = np.meshgrid(
        *(np.arange(-(-side // _CELL)) * _CELL + (_CELL - 1) / 2 for side in (width, height))
    )
    centres = np.column_stack([columns.ravel(), rows.ravel()])
    distance = _squared_distances(centres, pixels_a)
    near = min(_NEAREST_TRACKS, len(pixels_a)) - 1
    reach = np.maximum(np.partition(distance, near, axis=1)[:, near], _LEAST_REACH**2)
    weight = np.exp(-distance / (2 * reach[:, None]))
    bent = weight @ (pixels_b - _moved(H, pixels_a))
    bent /= weight.sum(1, keepdims=True) + _TOWARDS_HOMOGRAPHY
    offsets = _moved(H, centres) + bent - centres
    grid = offsets.reshape(*columns.shape, 2).astype(np.float32)
    grown = cv2.resize(grid, (columns.shape[1] * _CELL, columns.shape[0] * _CELL))
    return np.ascontiguousarray(grown[:height, :width])


@lru_cache(maxsize=2)
def _pixels(height: int, width: int) -> np.ndarray:
    """(H, W, 2) float32: x and y of every pixel."""
    return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)


def _around(image: np.ndarray) -> np.ndarray:
    return cv2.blur(image, (_SURROUNDINGS, _SURROUNDINGS))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


def _dominant_homography(pixels_a: np.ndarray, pixels_b: np.ndarray) -> np.ndarray:
    cv2.setRNGSeed(0)
    H, _ = cv2.findHomography(pixels_a, pixels_b, cv2.RANSAC, _HOMOGRAPHY_PIXELS, maxIters=300)
    if H is not None and _sound(H, pixels_a):
        return H
    H = np.eye(3)
    H[:2, 2] = np.median(pixels_b - pixels_a, axis=0)
    return H


def _sound(H: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether the homography keeps all pixels on one side of its horizon."""
    depth = pixels @ H[2, :2] + H[2, 2]
    return bool(depth.min() > 0.1 * depth.max() > 0)


def _moved(H: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    moved = pixels @ H[:, :2].T + H[:, 2]
    return moved[:, :2] / np.maximum(moved[:, 2:], 1e-3 * np.abs(moved[:, 2]).max())


def _search(finest_scale: int) -> cv2.DISOpticalFlow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(finest_scale)
    search.setPatchStride(5)
    search.setGradientDescentIterations(8)
    search.setVariationalRefinementIterations(2)
    return search


def _flow_from(
    start: np.ndarray,
    grey: np.ndarray,
    other: np.ndarray,
    search: cv2.DISOpticalFlow,
    ignored: tuple[np.ndarray | None, np.ndarray | None],
) -> np.ndarray:
    """The search compares upright patches: it sees the other image as the start bends it, and what
    is ignored as if it were there already."""
    bent = _brought(other, start)
    own, its = ignored
    if own is not None:
        bent = np.where(own > 0, grey, bent)
    if its is not None:
        bent = np.where(_brought(its, start, cv2.BORDER_CONSTANT) > 0, grey, bent)
    left = _found(search, grey, bent)
    return left + _brought(start, left)


def _brought(
    image: np.ndarray,
    there: np.ndarray,
    border: int = cv2.BORDER_REPLICATE,
    outside: tuple[float, ...] = (),
) -> np.ndarray:
    """What of another image the flow leads to. No second map is understood, though not by the
    stubs."""
    at = landing(there)
    return cv2.remap(  # type: ignore[call-overload]
        image, at, None, cv2.INTER_LINEAR, borderMode=border, borderValue=outside
    )


def _found(search: cv2.DISOpticalFlow, grey: np.ndarray, other: np.ndarray) -> np.ndarray:
    """No flow to start from is understood, though not by the search's stubs."""
    return search.calc(grey, other, None)  # type: ignore[call-overload]
