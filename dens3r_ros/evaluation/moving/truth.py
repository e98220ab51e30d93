# SPDX-License-Identifier: Apache-2.0
"""What truly moves in each frame: from the source itself, or from masks named by stamp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dens3r_ros.sources.images import image_files, read_image
from dens3r_ros.sources.source import Source, SourceError

FAR_PIXELS = 2.0
"""What moved less between two frames is neither right nor wrong to be called moving."""
_MOVES = 127
_TOLERANCE_NS = 20_000_000


@dataclass(frozen=True, eq=False)
class TrueMotion:
    """`moving` (H, W) bool; `far` (H, W) bool: those of them that moved by more than FAR_PIXELS
    since the frame before, all where that is not known."""

    moving: np.ndarray
    far: np.ndarray


def true_motion(source: Source, index: int, seconds: float) -> TrueMotion | None:
    """What moves in a frame that comes `seconds` after the one before; None where unknown."""
    truth, camera = source.truth(index), source[index].intrinsics
    if truth is None or truth.moving is None:
        return None
    if truth.velocity is None or camera is None:
        return TrueMotion(truth.moving, truth.moving)
    shift = truth.velocity * seconds
    z = np.maximum(truth.depth, 1e-3)
    v, u = np.mgrid[: z.shape[0], : z.shape[1]]
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    # First order: what a step sideways and towards the camera does to a pixel.
    du = camera.fx * (shift[..., 0] - x * shift[..., 2]) / z
    dv = camera.fy * (shift[..., 1] - y * shift[..., 2]) / z
    return TrueMotion(truth.moving, truth.moving & (np.hypot(du, dv) > FAR_PIXELS))


class MaskFolder:
    """Images in a folder, each named by its stamp in seconds (as those of the TUM layout are) or in
    whole nanoseconds; 255 moves."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a folder of masks.")
        named = sorted((stamp_of(path), path) for path in image_files(folder))
        if not named:
            raise SourceError(f"{folder} holds no images; masks are images named by stamp.")
        self.folder = folder
        self._stamps = np.array([stamp for stamp, _ in named])
        self._paths = [path for _, path in named]

    def at(self, stamp: int, size: tuple[int, int]) -> TrueMotion | None:
        """The mask nearest to a stamp, within 20 ms; None where there is none."""
        nearest = int(np.abs(self._stamps - stamp).argmin())
        if abs(int(self._stamps[nearest]) - stamp) > _TOLERANCE_NS:
            return None
        path = self._paths[nearest]
        mask = read_image(path)[..., 0] > _MOVES
        if mask.shape != size:
            raise SourceError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, "
                f"but the images are {size[1]}x{size[0]}."
            )
        return TrueMotion(mask, mask)


def stamp_of(path: Path) -> int:
    """Nanoseconds that a file's name tells."""
    try:
        if "." in path.stem:
            seconds, part = path.stem.split(".")
            return int(seconds) * 1_000_000_000 + int(part[:9].ljust(9, "0"))
        return int(path.stem)
    except ValueError as error:
        raise SourceError(
            f"{path} is not named by a stamp: 1305031102.175304.png, or whole nanoseconds."
        ) from error
