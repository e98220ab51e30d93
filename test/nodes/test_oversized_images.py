# SPDX-License-Identifier: Apache-2.0
"""If these fail, one small message of a large picture takes gigabytes and ends the node."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
from encoded_images import smooth_rgb
from sensor_msgs.msg import CompressedImage

from dens3r_ros.nodes.inputs.images import RejectedImage, rgb_from_compressed

LIMIT = 1_000_000
RGB = smooth_rgb(48, 64)
KINDS = (".jpg", ".png", ".webp", ".tiff", ".bmp")


def still(kind: str, pixels: np.ndarray = RGB) -> bytes:
    return cv2.imencode(kind, pixels[..., ::-1])[1].tobytes()


def message(data: bytes) -> CompressedImage:
    return CompressedImage(format="some", data=array("B", data))


def huge_png(side: int) -> bytes:
    """White and black, one bit a pixel: 144 million pixels are some 20 KB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = bytes((1 + side // 8) * side)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = (("IHDR", header), ("IDAT", zlib.compress(rows)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(k.encode(), c) for k, c in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_up_to_the_limit_and_refused_by_its_header_above(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = message(still(kind))
    image = rgb_from_compressed(sent, RGB.shape[0] * RGB.shape[1])
    assert image.shape == RGB.shape and np.abs(image.astype(int) - RGB).mean() < 4
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(RejectedImage) as refused:
        rgb_from_compressed(sent, RGB.shape[0] * RGB.shape[1] - 1)
    assert refused.value.reason == "too_large" and "64x48" in str(refused.value)


@pytest.mark.parametrize("mode", [cv2.IMWRITE_WEBP_QUALITY])
def test_a_lossy_webp_tells_its_size_too(mode: int) -> None:
    lossy = cv2.imencode(".webp", RGB, [mode, 80])[1].tobytes()
    with pytest.raises(RejectedImage, match="64x48"):
        rgb_from_compressed(message(lossy), 100)


def test_kinds_whose_headers_are_not_known_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    for data in (still(".ppm"), still(".pgm", RGB[..., :1]), b"\x89PNG", b"\xff\xd8\xff", b"II*\0"):
        with pytest.raises(RejectedImage) as refused:
            rgb_from_compressed(message(data), LIMIT)
        assert refused.value.reason == "undecodable" and "JPEG, PNG" in str(refused.value)


def test_a_png_of_many_pixels_takes_no_memory() -> None:
    """In a process of its own, whose peak of memory is the kernel's own count."""
    data = huge_png(12_000)
    assert len(data) < 50_000
    code = (
        "import resource, sys; from array import array\n"
        "from sensor_msgs.msg import CompressedImage\n"
        "from dens3r_ros.nodes.inputs.images import RejectedImage, rgb_from_compressed\n"
        "sent = CompressedImage(data=array('B', sys.stdin.buffer.read()))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "try:\n"
        "    rgb_from_compressed(sent, 50_000_000)\n"
        "except RejectedImage as refused:\n"
        "    print(refused.reason, peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, cwd=Path(__file__).parents[2]
    )
    reason, mebibytes = run.stdout.split()
    assert reason == b"too_large" and int(mebibytes) < 30, run.stderr
