# SPDX-License-Identifier: Apache-2.0
"""Image messages of any camera to (H, W, 3) uint8 RGB, or a named reason why not.

Messages are those of sensor_msgs, whichever library read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dens3r_ros.image_header import BadHeader, image_size


class RejectedImage(Exception):
    """A message that is no usable image; `reason` is a counter's name, the text explains."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Encoding:
    """How the bytes of an encoding lie, and the OpenCV code that makes them RGB."""

    channels: int
    to_rgb: int | None
    itemsize: int = 1
    half_chroma_rows: bool = False
    even: str = ""
    """Sides that must be even for lack of chroma else: "", "width" or "both"."""


def _bayer(name: str, code: int) -> dict[str, Encoding]:
    return {f"bayer_{name}8": Encoding(1, code), f"bayer_{name}16": Encoding(1, code, itemsize=2)}


ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, None),
    "bgr8": Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(1, cv2.COLOR_GRAY2RGB),
    "mono16": Encoding(1, cv2.COLOR_GRAY2RGB, itemsize=2),
    # OpenCV names a Bayer pattern by its second row's second and third pixels, ROS by its corner.
    **_bayer("rggb", cv2.COLOR_BayerBG2RGB),
    **_bayer("bggr", cv2.COLOR_BayerRG2RGB),
    **_bayer("gbrg", cv2.COLOR_BayerGR2RGB),
    **_bayer("grbg", cv2.COLOR_BayerGB2RGB),
    "yuv422": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even="width"),
    "uyvy": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even="width"),
    "yuv422_yuy2": Encoding(2, cv2.COLOR_YUV2RGB_YUYV, even="width"),
    "yuyv": Encoding(2, cv2.COLOR_YUV2RGB_YUYV, even="width"),
    "nv12": Encoding(1, cv2.COLOR_YUV2RGB_NV12, half_chroma_rows=True, even="both"),
    "nv21": Encoding(1, cv2.COLOR_YUV2RGB_NV21, half_chroma_rows=True, even="both"),
}


def rgb_from_image(message: Any, max_pixels: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a raw image; may share memory with the message."""
    encoding = ENCODINGS.get(message.encoding.lower())
    if encoding is None:
        raise RejectedImage(
            "unknown_encoding",
            f"encoding '{message.encoding}' is not supported; supported are {', '.join(ENCODINGS)}",
        )
    _check_size(message, encoding, max_pixels)
    pixels = _to_eight_bits(_pixels(message, encoding))
    if encoding.to_rgb is None:
        return np.ascontiguousarray(pixels)
    return cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb)


def rgb_from_compressed(message: Any, max_pixels: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG, PNG, WebP, TIFF or BMP; too large ones are not decoded."""
    data = np.frombuffer(message.data, np.uint8)
    if not len(data):
        raise RejectedImage("empty_image", "compressed image without data")
    try:
        height, width = image_size(data.tobytes())
    except BadHeader as error:
        raise RejectedImage("undecodable", f"format '{message.format}': {error}") from error
    _check_pixel_count(width, height, max_pixels)
    decoded = _decoded(data)
    if decoded is None:
        raise RejectedImage(
            "undecodable", f"{len(data)} bytes of format '{message.format}' do not decode"
        )
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _decoded(data: np.ndarray) -> np.ndarray | None:
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None


def _check_size(message: Any, encoding: Encoding, max_pixels: int) -> None:
    _check_pixel_count(message.width, message.height, max_pixels)
    odd_width, odd_height = message.width % 2, message.height % 2
    if (encoding.even and odd_width) or (encoding.even == "both" and odd_height):
        raise RejectedImage(
            "bad_size",
            f"{message.encoding} has one chroma sample for two pixels "
            f"and so needs even sides, got {message.width}x{message.height}",
        )
    row = message.width * encoding.channels * encoding.itemsize
    if message.step < row:
        raise RejectedImage(
            "bad_step", f"step {message.step} is less than the {row} bytes of a row"
        )
    needed = message.step * _rows(message, encoding)
    if len(message.data) < needed:
        raise RejectedImage("short_data", f"{len(message.data)} bytes of data, {needed} needed")


def _check_pixel_count(width: int, height: int, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise RejectedImage("empty_image", f"image of {width}x{height} pixels")
    if width * height > max_pixels:
        raise RejectedImage(
            "too_large", f"{width}x{height} pixels exceed max_image_pixels = {max_pixels}"
        )


def _rows(message: Any, encoding: Encoding) -> int:
    return message.height * 3 // 2 if encoding.half_chroma_rows else message.height


def _pixels(message: Any, encoding: Encoding) -> np.ndarray:
    rows = _rows(message, encoding)
    buffer = np.frombuffer(message.data, np.uint8, count=message.step * rows)
    used = message.width * encoding.channels * encoding.itemsize
    lines = buffer.reshape(rows, message.step)[:, :used]
    if encoding.itemsize == 2:
        order = ">u2" if message.is_bigendian else "<u2"
        lines = np.ascontiguousarray(lines).view(order)
    return lines if encoding.channels == 1 else lines.reshape(rows, -1, encoding.channels)


def _to_eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    return cv2.convertScaleAbs(pixels.astype(np.uint16), alpha=255.0 / 65535.0)
