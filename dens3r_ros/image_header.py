# SPDX-License-Identifier: Apache-2.0
"""How large a compressed image says it is, known before memory is spent on its pixels."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

KINDS = ("JPEG", "PNG", "WebP", "TIFF", "BMP")
"""What is taken; OpenCV decodes more, whose headers nobody has looked at here."""
_TILE_SIDES = (322, 323)
"""TIFF's tags of the blocks that a decoder makes room for."""


class BadHeader(ValueError):
    """Bytes that are no image of a known kind, or whose header is damaged."""


def image_size(data: bytes) -> tuple[int, int]:
    """(height, width) in pixels of a still image; only its header is read."""
    try:
        width, height = _webp(data) if data[8:12] == b"WEBP" else _by_pillow(data)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadHeader(f"no header of {', '.join(KINDS)} in {len(data)} bytes") from error
    except (struct.error, OverflowError, EOFError) as error:
        raise BadHeader(f"a damaged header in {len(data)} bytes: {error}") from error
    return height, width


def _by_pillow(data: bytes) -> tuple[int, int]:
    # Not Image.open, which has a limit of its own on the size.
    image = _plugin(data)(BytesIO(data))
    width, height = image.size
    tiles = [int(image.tag_v2.get(tag, 0)) for tag in _TILE_SIDES] if _is_tiff(data) else [0, 0]
    return max(width, tiles[0]), max(height, tiles[1])


def _plugin(data: bytes) -> Any:
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    if _is_tiff(data):
        return TiffImagePlugin.TiffImageFile
    known = {
        b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
        b"\x89PN": PngImagePlugin.PngImageFile,
    }
    return BmpImagePlugin.BmpImageFile if data[:2] == b"BM" else known[data[:3]]


def _is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*")


def _webp(data: bytes) -> tuple[int, int]:
    """Pillow makes room for the whole picture when it opens one of these."""
    kind, begin = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + _little(begin[4:7]), 1 + _little(begin[7:10])
    if kind == b"VP8L" and begin[:1] == b"\x2f":
        bits = _little(begin[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and begin[3:6] == b"\x9d\x01\x2a":
        return _little(begin[6:8]) & 0x3FFF, _little(begin[8:10]) & 0x3FFF
    raise ValueError(f"a WebP of kind {kind!r}")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
