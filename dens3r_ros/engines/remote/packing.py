# SPDX-License-Identifier: Apache-2.0
"""Maps as few bytes, and back.

Points travel as depth in float16 and as ray (x/z, y/z) in steps of 1/2048, or as x, y, z in float16
where some lie beside or behind the camera; confidence as its logarithm and normals on an octahedron
in 8 or 16 bits; of all that differences between rows are deflated, without further loss, which is
smaller and faster than PNG. Descriptors travel as
float16. Anything else, and everything where `points` is "float32", travels as it is.
`docs/start/server.md` states the errors.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = ("float16", "float32")
BITS = (8, 16)
_RAY_STEP = 2.0**-11
_STEEPEST = 15.0
"""Largest x/z or y/z that 16 bits hold in these steps, with some reserve."""
_LOG_STEP = {8: 1 / 32, 16: 1 / 4096}
"""Of the logarithm of confidence, which reaches 8 and 16."""
_RAW_DEFLATE = -15
"""Window bits that mean: no header, no checksum; gRPC has its own."""


@dataclass(frozen=True)
class Packing:
    """How exactly maps travel.

    points  "float16", or "float32" for everything as it is
    bits    of confidence and normals, 8 or 16
    """

    points: str = "float16"
    bits: int = 8

    def __post_init__(self) -> None:
        if self.points not in POINTS or self.bits not in BITS:
            raise ValueError(f"maps travel as {POINTS} and {BITS} bits, not as {self}")


def pack(name: str, array: np.ndarray, packing: Packing) -> tuple[dict[str, Any], bytes]:
    """One map (H, W, ...): what to know of it, and its bytes."""
    how = _way(name, array, packing)
    about = {"how": how, "shape": array.shape, "bits": packing.bits, "type": array.dtype.str}
    return about, _WAYS[how][0](array, packing.bits)


def unpack(about: Mapping[str, Any], data: bytes) -> np.ndarray:
    """The map again; ValueError where the bytes are none."""
    how, shape = about["how"], tuple(about["shape"])
    if how == "raw":
        return np.frombuffer(data, np.dtype(about["type"])).reshape(shape).copy()
    return _WAYS[how][1](data, about["bits"], shape)


def _way(name: str, array: np.ndarray, packing: Packing) -> str:
    if packing.points == "float32" or array.dtype != np.float32:
        return "raw"
    if name.startswith("points"):
        return "rays" if _before_camera(array) else "halves"
    if name.startswith("confidence"):
        return "logarithms"
    if name.startswith("normals"):
        return "octahedron"
    return "halves" if name.startswith("descriptor") else "raw"


def _before_camera(points: np.ndarray) -> bool:
    """Whether every point can be said as depth and ray; planes by themselves, for reductions over
    an axis of three are slow."""
    x, y, z = _planes(points)
    if not (z.min() >= 1e-4 and z.max() <= 6e4):
        return False
    return bool((np.maximum(np.abs(x), np.abs(y)) < _STEEPEST * z).all())


def _planes(array: np.ndarray) -> np.ndarray:
    """(3, H, W) of (H, W, 3)."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 0))


def _pack_raw(array: np.ndarray, bits: int) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def _pack_halves(array: np.ndarray, bits: int) -> bytes:
    largest = np.finfo(np.float16).max
    return array.clip(-largest, largest).astype(np.float16).tobytes()


def _unpack_halves(data: bytes, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(data, np.float16).reshape(shape).astype(np.float32)


def _pack_rays(points: np.ndarray, bits: int) -> bytes:
    # Rays are of the depth that arrives, so that x and y err by the ray's step alone.
    x, y, z = _planes(points)
    depth = z.astype(np.float16)
    scale = np.float32(1 / _RAY_STEP) / depth.astype(np.float32)
    rays = [(np.rint(one * scale) + np.float32(32768)).astype(np.uint16) for one in (x, y)]
    return _deflated(np.vstack([depth.view(np.uint16), *rays]))


def _unpack_rays(data: bytes, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    planes = _inflated(data, (3 * height, width), np.uint16)
    z = planes[:height].view(np.float16).astype(np.float32)
    points = np.empty((height, width, 3), np.float32)
    for axis in (0, 1):
        plane = planes[(axis + 1) * height : (axis + 2) * height]
        points[..., axis] = (plane.astype(np.float32) - 32768) * np.float32(_RAY_STEP) * z
    points[..., 2] = z
    return points


def _pack_logarithms(confidence: np.ndarray, bits: int) -> bytes:
    steps = np.rint(np.log(np.maximum(confidence, 1)) / _LOG_STEP[bits])
    return _deflated(steps.clip(0, 2**bits - 1).astype(_unsigned(bits)))


def _unpack_logarithms(data: bytes, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    steps = _inflated(data, shape, _unsigned(bits)).astype(np.float32)
    return np.exp(steps * np.float32(_LOG_STEP[bits]))


def _pack_octahedron(normals: np.ndarray, bits: int) -> bytes:
    x, y, z = _planes(normals)
    scale = 1 / np.maximum(np.abs(x) + np.abs(y) + np.abs(z), 1e-9)
    x, y = x * scale, y * scale
    behind = z < 0
    if behind.any():
        folded = (1 - np.abs(y)) * _sign(x), (1 - np.abs(x)) * _sign(y)
        x, y = (np.where(behind, *both) for both in zip(folded, (x, y), strict=True))
    whole = np.float32((2**bits - 2) / 2)
    return _deflated(np.rint((np.vstack((x, y)) + 1) * whole).astype(_unsigned(bits)))


def _unpack_octahedron(data: bytes, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    whole = np.float32((2**bits - 2) / 2)
    planes = _inflated(data, (2 * height, width), _unsigned(bits)).astype(np.float32) / whole - 1
    x, y = planes[:height], planes[height:]
    z = 1 - np.abs(x) - np.abs(y)
    over = np.maximum(-z, 0)
    if over.any():
        x, y = x - over * _sign(x), y - over * _sign(y)
    return np.dstack((x, y, z)) * (1 / np.sqrt(x * x + y * y + z * z))[..., None]


def _sign(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, np.float32(-1), np.float32(1))


def _unsigned(bits: int) -> type:
    return np.uint8 if bits == 8 else np.uint16


def _deflated(plane: np.ndarray) -> bytes:
    """(H, W) unsigned: small differences to the row above, low bytes before high ones."""
    steps = np.diff(plane, axis=0, prepend=plane.dtype.type(0))
    if plane.dtype == np.uint16:
        signed = steps.view(np.int16)
        folded = ((signed << 1) ^ (signed >> 15)).view(np.uint8).reshape(-1, 2)
        steps = np.ascontiguousarray(folded.T)
    made = zlib.compressobj(1, zlib.DEFLATED, _RAW_DEFLATE, 9)
    return made.compress(steps.tobytes()) + made.flush()


def _inflated(data: bytes, shape: tuple[int, ...], kind: type) -> np.ndarray:
    size = math.prod(shape) * np.dtype(kind).itemsize
    try:
        raw = zlib.decompressobj(_RAW_DEFLATE).decompress(data, size)
    except zlib.error:
        raw = b""
    if len(raw) != size:
        raise ValueError(f"{len(data)} bytes that came are no map of {tuple(shape)}")
    steps: np.ndarray = np.frombuffer(raw, np.uint8)
    if kind == np.uint16:
        folded = np.ascontiguousarray(steps.reshape(2, -1).T).view(np.uint16)[:, 0]
        steps = (folded >> 1) ^ (-(folded & 1).view(np.int16)).view(np.uint16)
    return np.cumsum(steps.reshape(shape), axis=0, dtype=kind)


_WAYS: dict[str, tuple[Callable[..., bytes], Callable[..., np.ndarray]]] = {
    "raw": (_pack_raw, unpack),
    "halves": (_pack_halves, _unpack_halves),
    "rays": (_pack_rays, _unpack_rays),
    "logarithms": (_pack_logarithms, _unpack_logarithms),
    "octahedron": (_pack_octahedron, _unpack_octahedron),
}
