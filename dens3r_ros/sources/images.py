# SPDX-License-Identifier: Apache-2.0
"""Reading images and depth maps from files, upright and with errors that name the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from dens3r_ros.sources.source import SourceError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_TURNED = frozenset({5, 6, 7, 8})


def natural_key(path: Path) -> list[tuple[bool, int | str]]:
    """Sort key under which `9.jpg` comes before `10.jpg`."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(not part.isdigit(), int(part) if part.isdigit() else part) for part in parts]


def image_files(folder: Path) -> list[Path]:
    """The folder's own images in natural order, hidden files left out."""
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    return sorted(found, key=natural_key)


def read_image(path: Path, as_stored: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned upright as the file's EXIF says, or with its pixels as they are
    stored."""
    with _opened(path) as image:
        upright = image if as_stored else ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            grey = (np.asarray(upright, np.int64).clip(0, 65535) // 257).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(upright.convert("RGB"))


def read_depth(path: Path, depth_scale: float) -> np.ndarray:
    """(H, W) float32 metres from an image of whole numbers, `depth_scale` of them a metre.

    Zero in the file means unknown and becomes NaN.
    """
    with _opened(path) as image:
        if image.mode not in ("I", "I;16", "I;16B", "L"):
            raise SourceError(f"{path} is no depth map: a 16-bit grey image, not {image.mode}.")
        raw = np.asarray(image, np.float32)
    return np.where(raw > 0, raw / np.float32(depth_scale), np.float32(np.nan))


def upright_size(path: Path) -> tuple[int, int]:
    """(height, width) as `read_image` will give it, from the file's header alone."""
    with _opened(path, decode=False) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
        return (image.width, image.height) if turned else (image.height, image.width)


def common_size(paths: Sequence[Path]) -> tuple[int, int]:
    """The (height, width) of all of them; SourceError naming two files where sizes differ."""
    first = upright_size(paths[0])
    for path in paths[1:]:
        size = upright_size(path)
        if size != first:
            raise SourceError(
                f"Images of one source must have one size, but {paths[0].name} is "
                f"{first[1]}x{first[0]} and {path.name} is {size[1]}x{size[0]} in {path.parent}. "
                "Resize them or put them into folders by size."
            )
    return first


def _opened(path: Path, decode: bool = True) -> Image.Image:
    try:
        image = Image.open(path)
        if decode:
            image.load()
    except FileNotFoundError:
        raise SourceError(f"{path} is listed but does not exist.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise SourceError(f"{path} cannot be read as an image: {error}.") from error
    return image
