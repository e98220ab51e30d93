# SPDX-License-Identifier: Apache-2.0
"""Images as cameras of different makes would send them."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
from sensor_msgs.msg import Image


def smooth_rgb(height: int = 24, width: int = 32) -> np.ndarray:
    """Colours that change slowly, so that half the chroma samples suffice."""
    y, x = np.mgrid[:height, :width] * np.array([24 / height, 32 / width])[:, None, None]
    return np.stack([60 + 2 * x, 80 + 3 * y, 200 - 2 * x - y], -1).astype(np.uint8)


def image_of(pixels: np.ndarray, encoding: str, height: int, width: int, padding: int = 0) -> Image:
    """The message of pixels that are laid out as the encoding wants them."""
    rows = np.ascontiguousarray(pixels.reshape(pixels.shape[0], -1)).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    out = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    out.data = array("B", rows.tobytes())
    return out


def encoded(rgb: np.ndarray, encoding: str) -> Image:
    """The message by which a camera of this encoding would tell of `rgb`."""
    return image_of(_pixels(rgb, encoding), encoding, *rgb.shape[:2])


def _pixels(rgb: np.ndarray, encoding: str) -> np.ndarray:
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    colours = rgb if encoding.startswith("rgb") else rgb[..., ::-1]
    if encoding in ("rgb8", "bgr8"):
        return colours
    if encoding in ("rgba8", "bgra8"):
        return np.concatenate([colours, alpha], -1)
    if encoding.startswith("mono"):
        return _deep(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), encoding)
    if encoding.startswith("bayer"):
        return _deep(bayer(rgb, encoding[6:10]), encoding)
    if encoding.startswith("nv"):
        return nv12(rgb, swapped=encoding == "nv21")
    return yuv422(rgb, 0 if encoding in ("yuyv", "yuv422_yuy2") else 1)


def _deep(grey: np.ndarray, encoding: str) -> np.ndarray:
    return grey.astype("<u2") * np.uint16(257) if encoding.endswith("16") else grey


def bayer(rgb: np.ndarray, pattern: str) -> np.ndarray:
    """(H, W): of each pixel the one colour that its filter lets through."""
    channel = {"r": 0, "g": 1, "b": 2}
    mosaic = np.empty(rgb.shape[:2], np.uint8)
    for i, colour in enumerate(pattern):
        mosaic[i // 2 :: 2, i % 2 :: 2] = rgb[i // 2 :: 2, i % 2 :: 2, channel[colour]]
    return mosaic


def yuv422(rgb: np.ndarray, first_luma: int) -> np.ndarray:
    """(H, W, 2): luma and, in turns, the two chromas of each pair."""
    ycrcb = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    luma = 16 + ycrcb[..., 0] * 219 / 255
    cb = 128 + (ycrcb[..., 2] - 128) * 224 / 255
    cr = 128 + (ycrcb[..., 1] - 128) * 224 / 255
    packed = np.empty((*rgb.shape[:2], 2), np.uint8)
    packed[..., first_luma] = luma.round()
    packed[:, ::2, 1 - first_luma] = cb[:, ::2].round()
    packed[:, 1::2, 1 - first_luma] = cr[:, ::2].round()
    return packed


def nv12(rgb: np.ndarray, swapped: bool = False) -> np.ndarray:
    """(H * 3/2, W): luma, then chroma pairs at a quarter of the resolution."""
    packed = yuv422(rgb, 1)
    chroma = packed[::2, :, 0]
    if swapped:
        chroma = chroma.reshape(len(chroma), -1, 2)[..., ::-1].reshape(len(chroma), -1)
    return np.vstack([packed[..., 1], chroma])
