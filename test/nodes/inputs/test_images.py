# SPDX-License-Identifier: Apache-2.0
"""If these fail, some make of camera shows wrong colours, or one bad message stops the node."""

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
from encoded_images import bayer, image_of, nv12, smooth_rgb, yuv422
from sensor_msgs.msg import CompressedImage, Image

from dens3r_ros.nodes.inputs.images import RejectedImage, rgb_from_compressed, rgb_from_image

LIMIT = 1_000_000


def message(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    return image_of(pixels, encoding, 24, 32, padding)


RGB = smooth_rgb()
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
EXACT = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "rgba8": np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)]),
    "bgra8": np.dstack([RGB[..., ::-1], np.full(GREY.shape, 255, np.uint8)]),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", EXACT)
def test_colour_encodings_are_exact(encoding: str, padding: int) -> None:
    image = rgb_from_image(message(EXACT[encoding], encoding, padding=padding), LIMIT)
    np.testing.assert_array_equal(image, RGB)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_are_not_mixed_up(pattern: str) -> None:
    image = rgb_from_image(message(bayer(RGB, pattern), f"bayer_{pattern}8"), LIMIT)
    error = np.abs(image.astype(int) - RGB)[2:-2, 2:-2]
    assert error.max() <= 4


@pytest.mark.parametrize(
    ("encoding", "first_luma"), [("yuv422", 1), ("uyvy", 1), ("yuyv", 0), ("yuv422_yuy2", 0)]
)
def test_packed_yuv_has_the_right_colours(encoding: str, first_luma: int) -> None:
    image = rgb_from_image(message(yuv422(RGB, first_luma), encoding), LIMIT)
    assert np.abs(image.astype(int) - RGB).max() <= 8


def test_nv12_has_the_right_colours() -> None:
    image = rgb_from_image(message(nv12(RGB), "nv12"), LIMIT)
    assert np.abs(image.astype(int) - RGB).max() <= 10


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bit_grey_in_either_byte_order(big: bool) -> None:
    wide = GREY.astype(np.uint16) * 257
    stored = wide.astype(">u2" if big else "<u2")
    sent = message(stored, "mono16")
    sent.is_bigendian = int(big)
    image = rgb_from_image(sent, LIMIT)
    np.testing.assert_array_equal(image[..., 0], GREY)


def broken(**changes: object) -> Image:
    out = message(RGB, "rgb8")
    for name, value in changes.items():
        setattr(out, name, value)
    return out


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 0}, "empty_image"),
        ({"height": 0}, "empty_image"),
        ({"encoding": "rgb9"}, "unknown_encoding"),
        ({"encoding": ""}, "unknown_encoding"),
        ({"step": 3}, "bad_step"),
        ({"data": array("B", b"abc")}, "short_data"),
        ({"width": 2**31, "height": 2**31}, "too_large"),
        ({"encoding": "nv12", "width": 31}, "bad_size"),
    ],
)
def test_bad_messages_are_refused_by_name(changes: dict, reason: str) -> None:
    with pytest.raises(RejectedImage) as caught:
        rgb_from_image(broken(**changes), LIMIT)
    assert caught.value.reason == reason


def test_more_data_than_needed_is_no_fault() -> None:
    sent = message(RGB, "rgb8")
    sent.data = array("B", sent.data.tobytes() + b"tail")
    np.testing.assert_array_equal(rgb_from_image(sent, LIMIT), RGB)


def test_compressed_images() -> None:
    data = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    sent = CompressedImage(format="png", data=array("B", data))
    np.testing.assert_array_equal(rgb_from_compressed(sent, LIMIT), RGB)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8 not a picture"])
def test_truncated_compressed_images_are_refused(data: bytes) -> None:
    with pytest.raises(RejectedImage):
        rgb_from_compressed(CompressedImage(format="jpeg", data=array("B", data)), LIMIT)
