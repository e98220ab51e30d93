# SPDX-License-Identifier: Apache-2.0
"""Where every frame was, relative to its keyframe, in a few bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.mapping.step import Record
from dens3r_ros.mapping.update import TimedPose

_ROW = np.dtype(
    [
        ("stamp", np.int64),
        ("keyframe", np.int32),
        ("epoch", np.int32),
        ("camera", np.int32),
        ("rotation", np.float32, 4),
        ("position", np.float32, 3),
    ]
)
CHUNK = 1024
"""Rows that are made room for at a time."""

RECORD_BYTES = _ROW.itemsize
"""Bytes of one frame."""


class Records:
    """The frames that have a place, in the order they found it; poses in single precision."""

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []
        self._cameras: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Record]:
        names = list(self._cameras)
        for rows in self._used():
            for row, T in zip(rows, _matrices(rows), strict=True):
                yield Record(
                    int(row["stamp"]),
                    names[row["camera"]],
                    int(row["keyframe"]),
                    T,
                    int(row["epoch"]),
                )

    def append(self, record: Record) -> int:
        """One more frame, and its number from now on."""
        if self._count == CHUNK * len(self._chunks):
            self._chunks.append(np.zeros(CHUNK, _ROW))
        camera = self._cameras.setdefault(record.camera, len(self._cameras))
        number, self._count = self._count, self._count + 1
        rows, place = self._chunks[-1], number % CHUNK
        rows["stamp"][place], rows["epoch"][place] = record.stamp, record.epoch
        rows["camera"][place] = camera
        self.move(number, record.keyframe_id, record.T_keyframe_frame)
        return number

    def keyframe_of(self, number: int) -> int:
        """The keyframe that a frame is kept relative to."""
        return int(self._chunks[number // CHUNK]["keyframe"][number % CHUNK])

    def move(self, number: int, keyframe_id: int, T_keyframe_frame: np.ndarray) -> None:
        """Give a frame another place, relative to any keyframe."""
        rows, place = self._chunks[number // CHUNK], number % CHUNK
        rows["keyframe"][place], rows["position"][place] = keyframe_id, T_keyframe_frame[:3, 3]
        rows["rotation"][place] = Rotation.from_matrix(T_keyframe_frame[:3, :3]).as_quat()

    def extend(self, records: Iterable[Record]) -> None:
        """Many more frames."""
        for record in records:
            self.append(record)

    def pass_on(self, gone: int, into: int, S_into_gone: np.ndarray) -> None:
        """The frames of one keyframe belong to another one from now on, and stay where they are."""
        turn = Rotation.from_matrix(S_into_gone[:3, :3] / scale_of(S_into_gone))
        for rows in self._used():
            own = np.flatnonzero(rows["keyframe"] == gone)
            if not len(own):
                continue
            moved = rows["position"][own] @ S_into_gone[:3, :3].T + S_into_gone[:3, 3]
            turned = turn * Rotation.from_quat(rows["rotation"][own])
            rows["keyframe"][own] = into
            rows["position"][own] = moved
            rows["rotation"][own] = turned.as_quat()

    def placed(self, S_map: Mapping[int, np.ndarray]) -> list[TimedPose]:
        """Every frame in the map, given its keyframe's pose there, in the order of the stamps."""
        names = list(self._cameras)
        poses: list[TimedPose] = []
        for rows in self._used():
            keyframes = rows["keyframe"].tolist()
            T = np.stack([S_map[i] for i in keyframes]) @ _matrices(rows)
            T[:, :3, :3] /= np.cbrt(np.linalg.det(T[:, :3, :3]))[:, None, None]
            told = zip(
                rows["stamp"].tolist(), rows["camera"], T, keyframes, rows["epoch"], strict=True
            )
            poses += [TimedPose(stamp, names[c], M, k, int(e)) for stamp, c, M, k, e in told]
        return sorted(poses, key=lambda pose: pose.stamp)

    def _used(self) -> Iterator[np.ndarray]:
        """The chunks, without the room that is not used yet."""
        for number, chunk in enumerate(self._chunks):
            yield chunk[: self._count - number * CHUNK]


def _matrices(rows: np.ndarray) -> np.ndarray:
    """(N, 4, 4) poses of rows."""
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    T[:, :3, :3] = Rotation.from_quat(rows["rotation"]).as_matrix()
    T[:, :3, 3] = rows["position"]
    return T
