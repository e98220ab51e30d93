# SPDX-License-Identifier: Apache-2.0
"""From a camera's pixels to the ones a network works on, and back again.

`place` decides once where the network's pixels lie in the image; `resample` makes them, exactly as
the published networks were trained with or faster for live use; `restore` brings maps home.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics

_FEWEST = 4
"""Patches along the long side of an image."""


@dataclass(frozen=True)
class Sizing:
    """Which image sizes a network takes.

    `long_side` is the resized image's long side in pixels, or with `square` its short side, of
    which a square is then cut. `square_ok` keeps square images square instead of cutting them to
    4:3. `turn_portrait` turns portraits counter-clockwise, so that the network always sees
    landscape. `fixed`, (height, width), is the only size taken, whatever the image's own shape.
    """

    patch: int = 16
    long_side: int = 512
    square: bool = False
    square_ok: bool = False
    turn_portrait: bool = False
    fixed: tuple[int, int] | None = None


def checked_side(side: int, patch: int) -> int:
    """A long side that somebody asked for, 0 for none; ValueError where a network of such patches
    would see next to nothing."""
    if side and side < _FEWEST * patch:
        raise ValueError(
            f"a size of {side} pixels is too small for a network of patches of {patch}: its long"
            f" side must be {_FEWEST * patch} at least, and 0 is the network's own"
        )
    return side


def place(original: tuple[int, int], sizing: Sizing) -> Placement:
    """Where the network's pixels lie in an image of `original` (height, width)."""
    height, width = original
    turns = int(sizing.turn_portrait and width < height)
    if turns:
        height, width = width, height
    resized = _resized(height, width, sizing)
    size = sizing.fixed or _cut(*resized, sizing)
    if min(size) < sizing.patch:
        raise ValueError(
            f"an image of {original[1]}x{original[0]} pixels is too narrow: at a long side of"
            f" {max(resized)} its short side is {min(resized)}, less than one patch of"
            f" {sizing.patch}; use a larger size or a less elongated image"
        )
    top, left = (whole // 2 - cut // 2 for whole, cut in zip(resized, size, strict=True))
    return Placement(original, resized, left, top, size, turns)


def _resized(height: int, width: int, sizing: Sizing) -> tuple[int, int]:
    if sizing.fixed is not None:
        scale = max(sizing.fixed[0] / height, sizing.fixed[1] / width)
        rows, columns = sizing.fixed
        return max(rows, round(height * scale)), max(columns, round(width * scale))
    longest = sizing.long_side
    if sizing.square:
        longest = round(longest * max(width / height, height / width))
    side = max(height, width)
    return round(height * longest / side), round(width * longest / side)


def _cut(height: int, width: int, sizing: Sizing) -> tuple[int, int]:
    patch = sizing.patch
    # Half sizes first, as published: an odd side loses its last pixel before patches are counted.
    rows, columns = (2 * (side // 2) // patch * patch for side in (height, width))
    if sizing.square:
        return min(rows, columns), min(rows, columns)
    if height == width and not sizing.square_ok:
        rows = 3 * columns // 4 // patch * patch
    return rows, columns


@dataclass(frozen=True, eq=False)
class Prepared:
    """A frame made ready: what the network sees, and where that lies in the unturned image."""

    pixels: np.ndarray
    """(H, W, 3) uint8, turned if `turned`."""
    placement: Placement
    intrinsics: Intrinsics | None
    turned: bool


def prepare(frame: Frame, sizing: Sizing, exact: bool = False) -> Prepared:
    """The network's view of a frame; placement and intrinsics are upright, as maps will be."""
    placement = place(frame.size, sizing)
    lying = upright(placement)
    intrinsics = None if frame.intrinsics is None else intrinsics_at(frame.intrinsics, lying)
    pixels = resample(frame.image, placement, exact)
    return Prepared(pixels, lying, intrinsics, bool(placement.quarter_turns))


def resample(image: np.ndarray, placement: Placement, exact: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 pixels at the network's resolution, contiguous.

    `exact` gives the very pixels of the published preprocessing; otherwise OpenCV's, which take a
    fraction of the time (docs/measured.md says what they change).
    """
    turned = np.rot90(image, placement.quarter_turns) if placement.quarter_turns else image
    resized = (_resize_exact if exact else _resize_fast)(turned, placement.resized)
    rows = slice(placement.top, placement.top + placement.size[0])
    columns = slice(placement.left, placement.left + placement.size[1])
    return np.ascontiguousarray(resized[rows, columns])


def _resize_exact(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinking = max(image.shape[:2]) > max(size)
    method = Image.Resampling.LANCZOS if shrinking else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(image).resize((size[1], size[0]), method))


def _resize_fast(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    # Cubic is nearest to the published pixels, but reads too few of them where it shrinks by much.
    method = cv2.INTER_AREA if max(image.shape[:2]) > 2 * max(size) else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(image), (size[1], size[0]), interpolation=method)


def normalise(pixels: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 pixels as (B, 3, H, W) float32 in [-1, 1], on the same device."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div(255).sub(0.5).div(0.5).contiguous()


def upright(placement: Placement) -> Placement:
    """The placement of the same pixels in an image that is not turned."""
    if placement.quarter_turns == 0:
        return placement
    (height, width), (rows, columns) = placement.resized, placement.size
    return replace(
        placement,
        resized=(width, height),
        left=height - placement.top - rows,
        top=placement.left,
        size=(columns, rows),
        quarter_turns=0,
    )


def intrinsics_at(intrinsics: Intrinsics, placement: Placement) -> Intrinsics:
    """The camera of the network's pixels, given that of the whole image."""
    height, width = placement.original
    if (intrinsics.height, intrinsics.width) != (height, width):
        raise ValueError(
            f"the intrinsics are for {intrinsics.width}x{intrinsics.height} pixels"
            f" but the image has {width}x{height}"
        )
    camera = _turned(intrinsics) if placement.quarter_turns else intrinsics
    camera = camera.resized(placement.resized[1], placement.resized[0])
    return camera.cropped(placement.left, placement.top, placement.size[1], placement.size[0])


def _turned(camera: Intrinsics) -> Intrinsics:
    """The camera after its image is turned by 90 degrees counter-clockwise."""
    return Intrinsics(
        fx=camera.fy,
        fy=camera.fx,
        cx=camera.cy,
        cy=camera.width - 1 - camera.cx,
        width=camera.height,
        height=camera.width,
    )


def restore(maps: Tensor, placement: Placement, fill: float = float("nan")) -> Tensor:
    """(B, H, W, ...) maps at the network's resolution on the pixels of the original image.

    Nearest neighbours, so that nothing is blended across edges; what the network did not see is
    `fill`. The maps are those of `placement`, turned or upright; vectors keep their components.
    """
    maps = torch.rot90(maps, -placement.quarter_turns, (1, 2))
    placement = upright(placement)
    rows, rows_seen = _sources(placement, axis=0, start=placement.top)
    columns, columns_seen = _sources(placement, axis=1, start=placement.left)
    whole = maps[:, rows.to(maps.device)][:, :, columns.to(maps.device)]
    unseen = ~(rows_seen[:, None] & columns_seen[None, :])
    if unseen.any():
        whole[:, unseen.to(maps.device)] = fill
    return whole


def _sources(placement: Placement, axis: int, start: int) -> tuple[Tensor, Tensor]:
    """Along one axis, for each original pixel: the map's nearest pixel, and whether it is seen."""
    count, cut = placement.original[axis], placement.size[axis]
    scale = placement.resized[axis] / count
    centres = (torch.arange(count, dtype=torch.float64) + 0.5) * scale - start
    nearest = centres.floor().long()
    return nearest.clamp(0, cut - 1), (nearest >= 0) & (nearest < cut)
