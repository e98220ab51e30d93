# SPDX-License-Identifier: Apache-2.0
"""If these fail, one damaged message of a camera driver ends the node, or stops its worker."""

from __future__ import annotations

import random
from array import array
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from rclpy.logging import get_logger
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

from dens3r_ros.nodes.inputs.camera_info import RejectedInfo, calibration_from_info
from dens3r_ros.nodes.inputs.images import (
    ENCODINGS,
    RejectedImage,
    rgb_from_compressed,
    rgb_from_image,
)
from dens3r_ros.nodes.inputs.intake import Received
from dens3r_ros.nodes.inputs.reading import Reader

MOST_PIXELS = 100_000
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 64, 65535, 2**31, 2**32 - 1]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 300.0, 1e-300, 1e300, -5.0, float("nan"), float("inf")]
MODELS = ["plumb_bob", "rational_polynomial", "equidistant", "fisheye", "", "thin_prism", "\0"]
STILL = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def fuzzed_image(rng: random.Random) -> Image:
    """Mostly possible sizes and lengths, each of them wrong now and then."""
    encoding = rng.choice(list(ENCODINGS))
    known = ENCODINGS[encoding]
    small = rng.random() < 0.8
    width, height = (rng.randint(0, 9) if small else rng.choice(SIZES) for _ in range(2))
    step = min(width * known.channels * known.itemsize + rng.choice([0, 0, 0, 1, 7, -1]), 2**32 - 1)
    rows = height * 3 // 2 if known.half_chroma_rows else height
    length = max(step, 0) * rows + rng.choice([0, 0, 0, 0, 5, -1, -9])
    message = Image(width=width, height=height, step=max(step, 0))
    message.encoding = encoding if rng.random() < 0.9 else rng.choice(["", "RGB8", "8UC3", "\xff"])
    message.is_bigendian = rng.choice([0, 0, 1, 255])
    message.data = array("B", rng.randbytes(min(max(length, 0), 4000)))
    return message


def fuzzed_still(rng: random.Random) -> CompressedImage:
    data = bytearray(STILL[: rng.randint(0, len(STILL))] if rng.random() < 0.5 else STILL)
    for _ in range(rng.randint(0, 4)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return CompressedImage(format=rng.choice(["jpeg", "", "png"]), data=array("B", data))


def fuzzed_info(rng: random.Random) -> CameraInfo:
    plausible = [300.0, 0.0, 4.0, 0.0, 300.0, 4.0, 0.0, 0.0, 1.0]
    message = CameraInfo(distortion_model=rng.choice(MODELS))
    message.k = [rng.choice(NUMBERS) if rng.random() < 0.04 else k for k in plausible]
    values = [0.1, *NUMBERS] if rng.random() < 0.2 else [0.0, 0.1, -0.2, 1e3, 1e300]
    message.d = [rng.choice(values) for _ in range(rng.choice([0, 4, 4, 5, 5, 8, 12, 14, 1, 40]))]
    odd = rng.random() < 0.2
    message.width, message.height = (rng.choice(SIZES) if odd else 8 for _ in range(2))
    message.binning_x, message.binning_y = rng.choice([0, 1, 2, 7]), rng.choice([0, 1, 2])
    if rng.random() < 0.3:
        x, y, width, height = (rng.choice(SIZES) for _ in range(4))
        message.roi = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
    return message


def is_rgb(image: np.ndarray) -> bool:
    return image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8


def test_no_raw_image_does_worse_than_be_refused() -> None:
    rng = random.Random(1)
    read = refused = 0
    for _ in range(20000):
        message = fuzzed_image(rng)
        try:
            image = rgb_from_image(message, MOST_PIXELS)
        except RejectedImage as refusal:
            assert refusal.reason and str(refusal)
            refused += 1
        else:
            assert is_rgb(image) and image.shape[:2] == (message.height, message.width)
            read += 1
    assert read > 1000 and refused > 1000


def test_no_compressed_image_does_worse_than_be_refused() -> None:
    rng = random.Random(2)
    read = refused = 0
    for _ in range(10000):
        try:
            assert is_rgb(rgb_from_compressed(fuzzed_still(rng), MOST_PIXELS))
            read += 1
        except RejectedImage:
            refused += 1
    assert read > 300 and refused > 300


def test_no_calibration_does_worse_than_be_refused() -> None:
    rng = random.Random(3)
    used = refused = 0
    for _ in range(20000):
        try:
            calibration = calibration_from_info(fuzzed_info(rng), 8, 8)
        except RejectedInfo as refusal:
            assert str(refusal)
            refused += 1
        else:
            if calibration is not None:
                assert np.isfinite(calibration.intrinsics.K).all()
                assert calibration.intrinsics.fx > 0 and calibration.intrinsics.fy > 0
                assert (calibration.intrinsics.width, calibration.intrinsics.height) == (8, 8)
            used += 1
    assert used > 300 and refused > 1000


def test_a_stream_of_damaged_messages_gives_frames_or_refusals() -> None:
    rng = random.Random(4)
    reader = Reader(MOST_PIXELS, get_logger("fuzz"), shortest_side=1)
    get_logger("fuzz").set_level(50)
    frames = 0
    for stamp in range(10000):
        message: Any = fuzzed_still(rng) if rng.random() < 0.3 else fuzzed_image(rng)
        info = fuzzed_info(rng) if rng.random() < 0.9 else None
        try:
            frame = reader.frame(Received("", message, stamp, 0.0, info))
        except RejectedImage:
            continue
        frames += 1
        assert is_rgb(frame.image)
        if frame.intrinsics is not None:
            assert (frame.intrinsics.height, frame.intrinsics.width) == frame.size
    assert frames > 300
