# SPDX-License-Identifier: Apache-2.0
"""Whether images of a folder are a film in its order, or photos in none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from dens3r_ros.sources.images import read_image, upright_size
from dens3r_ros.sources.source import SourceError

_LOOKED_AT = 200
_GAP_S = 2.0
"""Seconds between neighbours, by EXIF, from which on nobody filmed them."""
_OTHER_SIZES = 0.1
_NEIGHBOURS = 10
"""Pairs of neighbours whose images are compared."""
_SIDE = 320
_SAME_BITS = 40
_ALIKE = 0.06
"""Share of corners that are found in the next image of a film at least: some 12% and more at three
images a second, 0 to 1% of photos."""


def are_photos(files: Sequence[Path]) -> tuple[bool, str]:
    """Whether images in the order of their names are photos, and why that is thought."""
    if len(files) < 2:
        return False, "there is one image"
    some = files[:_LOOKED_AT]
    gap = _usual_gap([_taken(path) for path in some])
    if gap is not None and gap >= _GAP_S:
        return True, f"by their EXIF they were taken {gap:.0f} s apart"
    sizes = Counter(size for path in some if (size := _size(path)) is not None)
    if sizes and 1 - max(sizes.values()) / sizes.total() > _OTHER_SIZES:
        return True, f"they are of {len(sizes)} sizes"
    alike = [_likeness(*pair) for pair in _neighbours(files)]
    known = [one for one in alike if one is not None]
    if not known:
        return False, "their order is all that is known"
    middle = float(np.median(known))
    shown = f"of the corners of an image {100 * middle:.0f}% are in the next one"
    return middle < _ALIKE, shown


def _taken(path: Path) -> datetime | None:
    """When, by EXIF."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
        told = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        return datetime.strptime(str(told), "%Y:%m:%d %H:%M:%S") if told else None
    except (OSError, ValueError, SyntaxError):
        return None


def _usual_gap(times: Sequence[datetime | None]) -> float | None:
    """Median seconds between neighbours; None where most do not tell."""
    known = [one for one in times if one is not None]
    if len(known) < max(2, 0.8 * len(times)):
        return None
    gaps = np.diff([one.timestamp() for one in known])
    return float(np.median(np.abs(gaps)))


def _size(path: Path) -> tuple[int, int] | None:
    try:
        return upright_size(path)
    except SourceError:
        return None


def _neighbours(files: Sequence[Path]) -> list[tuple[Path, Path]]:
    first = np.linspace(0, len(files) - 2, min(_NEIGHBOURS, len(files) - 1)).astype(int)
    return [(files[n], files[n + 1]) for n in np.unique(first)]


def _likeness(path: Path, after: Path) -> float | None:
    """Share of an image's corners that the next one has; None where one cannot be read or has
    none."""
    try:
        a, b = (_corners(read_image(one)) for one in (path, after))
    except SourceError:
        return None
    if a is None or b is None:
        return None
    found = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(a, b)
    return sum(match.distance < _SAME_BITS for match in found) / len(a)


def _corners(image: np.ndarray) -> np.ndarray | None:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shrink = min(1.0, _SIDE / max(grey.shape))
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return cv2.ORB.create(500).detectAndCompute(small, np.ones_like(small))[1]
