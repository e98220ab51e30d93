# SPDX-License-Identifier: Apache-2.0
"""Splats as PLY, in the layout that gsplat, SuperSplat and nerfstudio read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isqrt

import numpy as np

from dens3r_ros.splats.gaussians import SUREST
from dens3r_ros.splats.splats import MOST_COEFFICIENTS, Splats

_COMMENT = "comment dens3r splats frame={frame} unit={unit}"
_COMMENT_FORM = re.compile(r"comment dens3r splats frame=(\S+) unit=(\S+)")
_ORDER = (3, 0, 1, 2)
"""From our quaternions to w, x, y, z."""
_BACK = (1, 2, 3, 0)
_FINER = tuple(3 * (n * n - 1) for n in range(1, 1 + isqrt(MOST_COEFFICIENTS)))
"""Numbers of the harmonics above the constant one, of the degrees from 0."""
_TYPES = {
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("int", "int32"), "<i4"),
}


class SplatsFileError(ValueError):
    """A file that holds no splats as they are known; the message says what was found."""


def ply_bytes(splats: Splats) -> bytes:
    """The whole file."""
    rows = np.zeros(len(splats), [(name, "<f4") for name in _names(splats.harmonics.shape[1])])
    opacities = np.clip(splats.opacities.astype(np.float64), SUREST, 1 - SUREST)
    columns = {
        **_columns(("x", "y", "z"), splats.means),
        **_columns(_numbered("f_dc", 3), splats.harmonics[:, 0]),
        # Of each colour all coefficients one after the other.
        **_columns(
            _numbered("f_rest", 3 * (splats.harmonics.shape[1] - 1)),
            splats.harmonics[:, 1:]
            .swapaxes(1, 2)
            .reshape(len(splats), 3 * (splats.harmonics.shape[1] - 1)),
        ),
        "opacity": np.log(opacities / (1 - opacities)),
        **_columns(_numbered("scale", 3), splats.log_scales),
        **_columns(_numbered("rot", 4), splats.rotations[:, _ORDER]),
    }
    for name, column in columns.items():
        rows[name] = column
    return _header(splats, rows.dtype.names or ()).encode() + rows.tobytes()


def splats_of_ply(content: bytes, name: str) -> Splats:
    """What a file of that name holds; SplatsFileError where it is something else."""
    head, end, body = content.partition(b"end_header\n")
    if not head.startswith(b"ply\n") or not end:
        raise SplatsFileError(f"{name} is no PLY file")
    header = head.decode("ascii", "replace").splitlines()
    if "format binary_little_endian 1.0" not in header:
        raise SplatsFileError(f"{name} is no PLY file in binary, the lower byte first")
    rows = _rows(header, body, name)
    frame, unit = next((m.groups() for line in header if (m := _COMMENT_FORM.match(line))), _UNSAID)
    coefficients = 1 + _finer(rows.dtype.names or (), name) // 3

    def array(*names: str) -> np.ndarray:
        missing = [field for field in names if field not in (rows.dtype.names or ())]
        if missing:
            raise SplatsFileError(f"{name} holds no splats: its vertices have no {missing[0]}")
        found = [rows[field].astype(np.float32) for field in names]
        return np.stack(found, -1) if found else np.zeros((len(rows), 0), np.float32)

    rest = array(*_numbered("f_rest", 3 * (coefficients - 1)))
    constant = array(*_numbered("f_dc", 3))[:, None]
    finer = rest.reshape(len(rows), 3, coefficients - 1).swapaxes(1, 2)
    rotations = array(*_numbered("rot", 4))[:, _BACK]
    length = np.linalg.norm(rotations, axis=1, keepdims=True).clip(1e-12)
    try:
        return Splats(
            array("x", "y", "z"),
            array(*_numbered("scale", 3)),
            (rotations / length).astype(np.float32),
            (1 / (1 + np.exp(-array("opacity")[:, 0].astype(np.float64)))).astype(np.float32),
            np.ascontiguousarray(np.concatenate([constant, finer], 1)),
            frame,
            unit == "metres",
        )
    except ValueError as error:
        raise SplatsFileError(f"{name}: {error}") from error


_UNSAID = ("map", "free")


def _finer(fields: Sequence[str], name: str) -> int:
    """How many numbers of finer harmonics each splat has."""
    count = sum(field.startswith("f_rest_") for field in fields)
    if count not in _FINER:
        raise SplatsFileError(
            f"{name} has {count} numbers f_rest of each splat; harmonics of a degree have"
            f" {', '.join(map(str, _FINER))}"
        )
    return count


def _names(coefficients: int) -> list[str]:
    return [
        *("x", "y", "z", "nx", "ny", "nz"),
        *_numbered("f_dc", 3),
        *_numbered("f_rest", 3 * (coefficients - 1)),
        "opacity",
        *_numbered("scale", 3),
        *_numbered("rot", 4),
    ]


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{n}" for n in range(count))


def _columns(names: tuple[str, ...], values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(names, values.T, strict=True))


def _header(splats: Splats, names: tuple[str, ...]) -> str:
    unit = "metres" if splats.metric else "free"
    lines = [
        *("ply", "format binary_little_endian 1.0"),
        _COMMENT.format(frame="_".join(splats.frame.split()) or "map", unit=unit),
        f"element vertex {len(splats)}",
        *(f"property float {name}" for name in names),
        "end_header",
    ]
    return "\n".join(lines) + "\n"


def _rows(header: list[str], body: bytes, name: str) -> np.ndarray:
    """The vertices, which must be the first element."""
    elements = [n for n, line in enumerate(header) if line.startswith("element ")]
    if not elements or not header[elements[0]].startswith("element vertex "):
        raise SplatsFileError(f"{name} does not begin with vertices")
    end = elements[1] if elements[1:] else len(header)
    fields: list[tuple[str, str]] = []
    for line in header[elements[0] + 1 : end]:
        words = line.split()
        if words[:1] != ["property"]:
            continue
        if len(words) != 3 or words[1] not in _TYPES:
            raise SplatsFileError(f"{name}: '{line}' is no property of a splat")
        fields.append((words[2], _TYPES[words[1]]))
    told = header[elements[0]].split()[2:]
    if len(told) != 1 or not told[0].isdigit():
        raise SplatsFileError(f"{name}: '{header[elements[0]]}' tells no number of splats")
    if len({field for field, _ in fields}) < len(fields) or not fields:
        raise SplatsFileError(f"{name}: its vertices have no properties, or one of them twice")
    count, kind = int(told[0]), np.dtype(fields)
    if len(body) < count * kind.itemsize:
        raise SplatsFileError(
            f"{name} is cut short: {len(body)} bytes of {count * kind.itemsize} are there"
        )
    return np.frombuffer(body, kind, count)
