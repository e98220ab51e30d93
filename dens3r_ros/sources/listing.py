# SPDX-License-Identifier: Apache-2.0
"""The list files of the TUM RGB-D benchmark: a stamp in seconds, then fields, on every line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.sources.source import SourceError


@dataclass(frozen=True)
class Listing:
    """The lines of one list file: stamps in nanoseconds, rising, and what stands behind each."""

    stamps: np.ndarray
    fields: list[list[str]]

    def nearest(self, stamp: int, tolerance: int) -> list[str] | None:
        """The fields of the line nearest in time, None where it is further than `tolerance`."""
        if not len(self.stamps):
            return None
        after = int(np.searchsorted(self.stamps, stamp))
        around = range(max(after - 1, 0), min(after + 1, len(self.stamps)))
        best = min(around, key=lambda line: abs(int(self.stamps[line]) - stamp))
        return self.fields[best] if abs(int(self.stamps[best]) - stamp) <= tolerance else None


class PoseListing:
    """Camera-to-world poses by stamp, as in `groundtruth.txt`; empty where there is no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listing = read_listing(path, fields=7)

    def nearest(self, stamp: int, tolerance: int) -> np.ndarray | None:
        """(4, 4) T_world_camera nearest in time, None beyond `tolerance`; both nanoseconds."""
        fields = self._listing.nearest(stamp, tolerance)
        return None if fields is None else _pose(self._path, fields)


def read_listing(path: Path, fields: int) -> Listing:
    """The file's lines in the order of their stamps; none where there is no such file."""
    if not path.exists():
        return Listing(np.empty(0, np.int64), [])
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            lines.append(_parsed(path, number, words, fields))
    lines.sort(key=lambda line: line[0])
    return Listing(np.array([line[0] for line in lines], np.int64), [line[1] for line in lines])


def _parsed(path: Path, number: int, words: list[str], fields: int) -> tuple[int, list[str]]:
    try:
        stamp = int(Decimal(words[0]) * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        raise SourceError(f"{path}:{number}: {words[0]!r} is no stamp in seconds.") from None
    if len(words) < fields + 1:
        raise SourceError(
            f"{path}:{number}: {fields} fields after the stamp, not {len(words) - 1}."
        )
    return stamp, words[1 : fields + 1]


def _pose(path: Path, fields: list[str]) -> np.ndarray:
    try:
        values = np.array(fields, dtype=np.float64)
        rotation = Rotation.from_quat(values[3:])
    except ValueError as error:
        raise SourceError(f"{path}: no pose in {' '.join(fields)!r}: {error}.") from None
    T_world_camera = np.eye(4)
    T_world_camera[:3, :3] = rotation.as_matrix()
    T_world_camera[:3, 3] = values[:3]
    return T_world_camera
