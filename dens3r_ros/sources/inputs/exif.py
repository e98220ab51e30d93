# SPDX-License-Identifier: Apache-2.0
"""The lens of a photograph as its file tells it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from dens3r_ros.geometry.camera import Intrinsics

_FULL_FRAME_DIAGONAL = math.hypot(36.0, 24.0)
"""Millimetres; 35 mm equivalents compare angles across the diagonal (CIPA DCG-001)."""
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""Per unit of the focal plane's resolution."""
_SHORTEST, _LONGEST = 0.2, 20.0
"""Focal lengths, in diagonals of the image, that a camera may have."""


def exif_intrinsics(path: Path, size: tuple[int, int]) -> Intrinsics | None:
    """The pinhole camera of a photograph of (height, width) `size`, upright; None where its file
    does not tell the focal length."""
    with Image.open(path) as image:
        exif = image.getexif()
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    diagonal = math.hypot(*size)
    focal = _from_equivalent(tags, diagonal) or _from_focal_plane(tags, size)
    if focal is None or not _SHORTEST < focal / diagonal < _LONGEST:
        return None
    height, width = size
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def _from_equivalent(tags: dict[int, Any], diagonal: float) -> float | None:
    equivalent = _number(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    return equivalent / _FULL_FRAME_DIAGONAL * diagonal if equivalent else None


def _from_focal_plane(tags: dict[int, Any], size: tuple[int, int]) -> float | None:
    """By the sensor's pixels a unit of length, which belong to the image as it was taken."""
    focal = _number(tags.get(ExifTags.Base.FocalLength))
    density = _number(tags.get(ExifTags.Base.FocalPlaneXResolution))
    taken = _number(tags.get(ExifTags.Base.ExifImageWidth))
    if not (focal and density and taken):
        return None
    unit = _MILLIMETRES.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2), 25.4)
    return focal * density / unit * max(size) / max(taken, _number(tags.get(0xA003)) or 0)


def _number(value: Any) -> float | None:
    """A positive number, or nothing."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
