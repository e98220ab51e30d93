# SPDX-License-Identifier: Apache-2.0
"""Images as JPEG, WebP or without loss, and back."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.image_header import image_size

FORMATS = ("jpeg", "webp", "png")


def compress(image: np.ndarray, kind: str, quality: int) -> bytes:
    """(H, W, 3) uint8 RGB as a file; `quality` 1 to 100 of jpeg and webp, png has no loss."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if kind == "jpeg":
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        return cv2.imencode(".jpg", bgr, options)[1].tobytes()
    if kind == "webp":
        return cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    if kind == "png":
        return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    raise ValueError(f"images travel as {', '.join(FORMATS)}, not as {kind!r}")


def decompress(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """The image again; ValueError where the bytes are none of (height, width) `size`."""
    # The header is asked first, so that no few bytes make room for a huge image.
    honest = bool(data) and image_size(data) == tuple(size)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if honest else None
    if bgr is None or bgr.shape[:2] != tuple(size):
        raise ValueError(f"{len(data)} bytes that came are no image of {size[1]}x{size[0]} pixels")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
