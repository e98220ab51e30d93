# SPDX-License-Identifier: Apache-2.0
"""Keyframes on disk, whole: their images and their depth at the engine's resolution."""

from __future__ import annotations

import io
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample, upright
from dens3r_ros.engines.protocol import Engine, Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.archive.archive import Archive
from dens3r_ros.mapping.archive.stored import BLOCK, Stored
from dens3r_ros.mapping.config import ArchiveConfig
from dens3r_ros.mapping.motion.weights import MOVES
from dens3r_ros.mapping.tracking.keyframe import Keyframe

_JPEG_QUALITY = 95
_SAME_SURFACE = 0.05
"""Relative difference of depths up to which pixels of one block are of one surface."""


@dataclass(frozen=True, eq=False)
class KeyframeMaps:
    """One keyframe at the engine's resolution.

    depth (h, w) float32 along the optical axis, 0 where unknown; confidence (h, w) float32, 1
    (none) to infinity; colours (h, w, 3) uint8 RGB; camera sees these pixels, which lie in the
    whole image by `placement`; moving (h, w) bool: what moves by itself, None where not told.
    """

    depth: np.ndarray
    confidence: np.ndarray
    colours: np.ndarray
    camera: Intrinsics
    placement: Placement
    moving: np.ndarray | None = None


class KeyframeFiles:
    """A folder with a JPEG and the maps of every keyframe, by its number; maps that are not there
    are read from the folder `before`."""

    def __init__(self, images: Path, maps: Path, before: Path | None = None) -> None:
        self._images, self._maps, self._before = images, maps, before
        self._written: dict[int, int] = {}
        for folder in (images, maps):
            folder.mkdir(parents=True, exist_ok=True)

    def image(self, keyframe_id: int) -> Path:
        """Its image's file."""
        return self._images / f"{keyframe_id:06d}.jpg"

    def write(self, keyframe: Keyframe) -> None:
        """Write a keyframe, unless it stands there as it is."""
        if self._written.get(keyframe.id) == keyframe.revision:
            return
        if keyframe.id not in self._written:
            pixels = cv2.cvtColor(keyframe.features.frame.image, cv2.COLOR_RGB2BGR)
            quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            _replace(self.image(keyframe.id), cv2.imencode(".jpg", pixels, quality)[1].tobytes())
        canonical, features = keyframe.canonical, keyframe.features
        known = canonical.weight > 0
        maps = KeyframeMaps(
            np.where(known, canonical.points[..., 2], 0).astype(np.float32),
            canonical.confidence.astype(np.float32),
            resample(features.frame.image, features.placement),
            keyframe.camera,
            upright(features.placement),
            None if keyframe.motion is None else keyframe.motion > MOVES,
        )
        self.put(keyframe.id, maps)
        self._written[keyframe.id] = keyframe.revision

    def put(self, keyframe_id: int, maps: KeyframeMaps) -> None:
        """Write maps in place of those that are there."""
        _replace(self._maps / f"{keyframe_id:06d}.npz", _packed(maps))

    def changing_in(self, folder: Path) -> KeyframeFiles:
        """The same, whose changes go into an empty folder, so that these here stay as they are."""
        shutil.rmtree(folder, ignore_errors=True)
        return KeyframeFiles(self._images, folder, self._maps)

    def read(self, keyframe_id: int) -> KeyframeMaps:
        """A keyframe's maps."""
        path = self._maps / f"{keyframe_id:06d}.npz"
        if self._before is not None and not path.is_file():
            path = self._before / path.name
        with np.load(path) as arrays:
            placement = [tuple(side) for side in arrays["placement"].reshape(-1, 2).tolist()]
            original, resized, corner, size = placement
            fx, fy, cx, cy, width, height = arrays["camera"].tolist()
            return KeyframeMaps(
                arrays["depth"],
                arrays["confidence"].astype(np.float32),
                arrays["colours"],
                Intrinsics(fx, fy, cx, cy, int(width), int(height)),
                Placement(original, resized, corner[0], corner[1], size),
                arrays.get("moving"),
            )

    def lose(self, keyframe_id: int, depth: np.ndarray) -> None:
        """Forget the points of these depths, told of one pixel in `BLOCK` each way, 0 none."""
        maps = self.read(keyframe_id)
        height, width = maps.depth.shape
        whole = np.repeat(np.repeat(depth, BLOCK, 0), BLOCK, 1)[:height, :width]
        gone = np.abs(maps.depth - whole) < _SAME_SURFACE * whole
        left = np.where(gone, np.float32(0), maps.depth)
        sure = np.where(gone, np.float32(1), maps.confidence)
        self.put(keyframe_id, replace(maps, depth=left, confidence=sure))

    def clear(self) -> None:
        """Forget everything."""
        for path in (*self._images.glob("*.jpg"), *self._maps.glob("*.npz")):
            path.unlink()
        self._written.clear()

    def keep_only(self, keyframe_ids: set[int]) -> None:
        """Remove the files of keyframes that are no more."""
        for path in (*self._images.glob("*.jpg"), *self._maps.glob("*.npz")):
            if int(path.stem) not in keyframe_ids:
                path.unlink()


class WritingArchive(Archive):
    """The mapper's archive, which also writes whole what it keeps small."""

    def __init__(self, engine: Engine, config: ArchiveConfig, files: KeyframeFiles) -> None:
        super().__init__(engine, config)
        self._files = files

    def add(self, keyframe: Keyframe) -> None:
        """Keep a keyframe that leaves the window."""
        self._files.write(keyframe)
        super().add(keyframe)

    def put(self, stored: Stored) -> None:
        """Keep what is already small; points that it has no more leave the files too."""
        before = self.stored(stored.id) if stored.id in self else stored
        gone = (before.depth > 0) & (stored.depth <= 0)
        if gone.any():
            self._files.lose(stored.id, np.where(gone, before.depth, 0).astype(np.float32))
        super().put(stored)


def _packed(maps: KeyframeMaps) -> bytes:
    where, buffer = maps.placement, io.BytesIO()
    moving = {} if maps.moving is None else {"moving": maps.moving}
    placement: list[Any] = [where.original, where.resized, (where.left, where.top), where.size]
    np.savez(
        buffer,
        depth=maps.depth,
        confidence=np.minimum(maps.confidence, 60_000).astype(np.float16),
        colours=maps.colours,
        camera=np.array(list(asdict(maps.camera).values()), np.float64),
        placement=np.array(placement, np.int64),
        **moving,  # type: ignore[arg-type]
    )
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Whenever writing is cut short, the old file or the new one is there, whole."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
