# SPDX-License-Identifier: Apache-2.0
"""A keyframe made small, to be shown as it is or brought back whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import intrinsics_at, resample, upright
from dens3r_ros.engines.protocol import Engine, Features, Placement, encode_aside
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.motion.weights import MOVES, standing
from dens3r_ros.mapping.tracking.cameras import at_input, camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels

BLOCK = 4
"""Pixels of a keyframe's maps, each way, for one that is kept."""
_JPEG_SHARE = 0.5
"""Bytes that a pixel's JPEG may take at most; images that would take more lose quality."""
_OBJECT_BYTES = 4096
"""What Python needs for one stored keyframe beside its image and maps, generously."""
_MAP_BYTES = 2 + 2 + 1
"""Of a pixel of the maps: depth, confidence, and what moves."""
_SMOOTH = 0.05
"""Relative difference of neighbouring depths up to which they are one surface."""
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class Stored:
    """What is kept of a keyframe that is not live.

    jpeg: its image, at the size the engine worked on if that is smaller; placement (upright) and
    camera are those of the engine's pixels then; depth, confidence (ceil(h / 4), ceil(w / 4))
    float16: z in the keyframe's unit, 0 where unknown, and mean confidence; `folds` predictions
    made them. `intrinsics` are the frame's own, where given. moving, of the same shape, uint8:
    what moves by itself, 255 surely; None where that was not told.
    """

    id: int
    stamp: int
    camera_name: str
    jpeg: bytes
    placement: Placement
    intrinsics: Intrinsics | None
    camera: Intrinsics
    calibrated: bool
    depth: np.ndarray
    confidence: np.ndarray
    folds: float
    revision: int
    moving: np.ndarray | None = None

    @property
    def motion(self) -> np.ndarray | None:
        """(h, w) float32 on the pixels of `depth`: 0 stands still to 1 moves."""
        return None if self.moving is None else self.moving.astype(np.float32) / 255


@dataclass(frozen=True, eq=False)
class StoredView:
    """What can be shown of a stored keyframe, made when it is read; see `Shown`."""

    stored: Stored

    @property
    def stamp(self) -> int:
        """Nanoseconds."""
        return self.stored.stamp

    @property
    def camera_name(self) -> str:
        """Of the camera that took it."""
        return self.stored.camera_name

    @property
    def revision(self) -> int:
        """Grows whenever the points change."""
        return self.stored.revision

    @property
    def camera(self) -> Intrinsics:
        """Of the pixels of `points`."""
        return small_camera(self.stored)

    @property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32 in the keyframe's unit."""
        return small_points(self.stored)

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) float32; 1 (none) too where something moves by itself."""
        known = self.stored.depth > 0
        sure = np.where(known, self.stored.confidence.astype(np.float32), np.float32(1))
        return standing(sure, self.stored.motion)

    @property
    def colours(self) -> np.ndarray:
        """(h, w, 3) uint8 RGB."""
        whole = resample(stored_image(self.stored), self.stored.placement)
        height, width = self.stored.depth.shape
        return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def stored_bytes(image: tuple[int, int], maps: tuple[int, int]) -> int:
    """Most bytes of one stored keyframe, from the sizes (height, width) of image and maps."""
    pixels = min(image[0] * image[1], maps[0] * maps[1])
    small = -(-maps[0] // BLOCK) * -(-maps[1] // BLOCK)
    return round(_JPEG_SHARE * pixels) + _MAP_BYTES * small + _OBJECT_BYTES


def pack(keyframe: Keyframe, jpeg_quality: int) -> Stored:
    """Make a keyframe small, without points that were not seen to stand still."""
    canonical, features = keyframe.canonical, keyframe.features
    weight = canonical.weight / canonical.folds
    if keyframe.confirming is not None:
        weight = np.where(keyframe.confirming.confirmed(), weight, np.float32(0))
    depth, confidence = _small(canonical.points[..., 2], weight)
    return Stored(
        keyframe.id,
        keyframe.stamp,
        keyframe.camera_name,
        _jpeg(features.frame.image, features.placement, jpeg_quality),
        upright(features.placement),
        features.frame.intrinsics,
        keyframe.camera,
        keyframe.calibrated,
        depth,
        confidence,
        canonical.folds,
        keyframe.revision,
        None if keyframe.motion is None else _moving(keyframe.motion),
    )


def unpack(stored: Stored, engine: Engine) -> Keyframe:
    """The keyframe with its image encoded again and its maps at the engine's size."""
    frame = Frame(stored_image(stored), stored.stamp, stored.camera_name, stored.intrinsics)
    features = encode_aside(engine, [frame])[0]
    camera = intrinsics_at(at_input(stored.camera, stored.placement), upright(features.placement))
    depth, weight = _grown(stored, upright(features.placement))
    rays = camera_rays(camera)
    pinned = rays if stored.calibrated else None
    canonical = Canonical(rays * depth[..., None], weight * stored.folds, stored.folds, pinned)
    return Keyframe(
        stored.id,
        features,
        canonical,
        camera,
        stored.calibrated,
        _texture(features),
        stored.revision,
        motion=_grown_motion(stored, upright(features.placement)),
    )


def _small(depth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle depth of each block's known pixels, and the mean confidence there."""
    blocks = _blocks(np.where(weight > 0, depth, np.inf))
    known = np.isfinite(blocks).sum(-1)
    middle = np.sort(blocks, axis=-1)
    chosen = np.take_along_axis(middle, np.maximum(known - 1, 0)[..., None] // 2, -1)[..., 0]
    surface = np.abs(blocks / np.where(known, chosen, 1)[..., None] - 1) < _SMOOTH
    mean = (_blocks(weight) * surface).sum(-1) / np.maximum(surface.sum(-1), 1)
    small = np.where(known > 0, chosen, 0).clip(0, _LARGEST)
    return small.astype(np.float16), (1 + mean).clip(1, _LARGEST).astype(np.float16)


def _moving(motion: np.ndarray) -> np.ndarray:
    """(ceil(h / 4), ceil(w / 4)) uint8 mean of each block."""
    return np.rint(255 * _blocks(motion).mean(-1)).clip(0, 255).astype(np.uint8)


def _blocks(values: np.ndarray) -> np.ndarray:
    """(ceil(h / 4), ceil(w / 4), 16) values; the last row and column are repeated to fill up."""
    height, width = values.shape
    padding = ((0, -height % BLOCK), (0, -width % BLOCK))
    whole = np.pad(values, padding, mode="edge")
    rows, columns = (side // BLOCK for side in whole.shape)
    cells = whole.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    return cells.reshape(rows, columns, BLOCK * BLOCK)


def small_points(stored: Stored) -> np.ndarray:
    """(h, w, 3) float32 points as they are kept; 0 where unknown."""
    depth = stored.depth.astype(np.float32)
    return pixel_rays(small_camera(stored)).numpy() * depth[..., None]


def small_camera(stored: Stored) -> Intrinsics:
    """The camera of the maps that are kept."""
    rows, columns = stored.depth.shape
    padded = replace(stored.camera, width=columns * BLOCK, height=rows * BLOCK)
    return padded.resized(columns, rows)


def _grown(stored: Stored, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Depth and confidence above 1 on the pixels of another placement of the same image."""
    x, y = _places(stored, placement)
    depth = stored.depth.astype(np.float32)
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    nearest = _remap(depth, x, y, cv2.INTER_NEAREST)
    between = _remap(inverse, x, y, cv2.INTER_LINEAR)
    smooth = np.abs(nearest * between - 1) < _SMOOTH
    grown = np.where(smooth, 1 / np.where(smooth, between, 1), nearest)
    weight = _remap(stored.confidence.astype(np.float32) - 1, x, y, cv2.INTER_NEAREST)
    return grown, np.where(grown > 0, weight, np.float32(0))


def _grown_motion(stored: Stored, placement: Placement) -> np.ndarray | None:
    """(H, W) float32 what moves, on the pixels of another placement of the same image."""
    if stored.motion is None:
        return None
    return _remap(stored.motion, *_places(stored, placement), cv2.INTER_LINEAR)


def _places(stored: Stored, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) float32 x and y in the stored maps of the pixels of another placement."""
    (height, width), old = placement.size, stored.placement
    at = []
    for side, axis, start, before in (
        (height, 0, placement.top, old.top),
        (width, 1, placement.left, old.left),
    ):
        whole = (np.arange(side) + start + 0.5) / placement.resized[axis] * old.resized[axis]
        at.append(((whole - before) / BLOCK - 0.5).astype(np.float32))
    y, x = np.meshgrid(*at, indexing="ij")
    return x, y


def _remap(values: np.ndarray, x: np.ndarray, y: np.ndarray, method: int) -> np.ndarray:
    return cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE)


def _jpeg(image: np.ndarray, placement: Placement, quality: int) -> bytes:
    """The image, no larger than what the engine looks at, within its share of bytes."""
    height, width = upright(placement).resized
    if height * width < image.shape[0] * image.shape[1]:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    while True:
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(jpeg) <= _JPEG_SHARE * pixels.shape[0] * pixels.shape[1] or quality <= 10:
            return jpeg
        quality = max(quality - 15, 10)


def stored_image(stored: Stored) -> np.ndarray:
    """(H, W, 3) uint8 RGB at the size it was taken in."""
    encoded = np.frombuffer(stored.jpeg, np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError(f"the image of keyframe {stored.id} is no JPEG")
    image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    height, width = stored.placement.original
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return image


@dataclass(frozen=True, eq=False)
class WholeMaps:
    """On the engine's pixels: image (h, w, 3) uint8 RGB; depth (h, w) float32, 0 where unknown, and
    confidence (h, w) float32, which lie between those kept where these are smooth; moving (h, w)
    bool, what moves by itself, None where that was not told."""

    image: np.ndarray
    depth: np.ndarray
    confidence: np.ndarray
    moving: np.ndarray | None


def whole_maps(stored: Stored) -> WholeMaps:
    """What is kept, on the pixels of `stored.camera`."""
    depth, weight = _grown(stored, stored.placement)
    image = resample(stored_image(stored), stored.placement)
    motion = _grown_motion(stored, stored.placement)
    moving = None if motion is None else motion > MOVES
    return WholeMaps(image, depth.astype(np.float32), 1 + weight, moving)


def _texture(features: Features) -> Texture:
    image = resample(features.frame.image, features.placement)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return Texture(grey, textured_pixels(grey))
