# SPDX-License-Identifier: Apache-2.0
"""If these fail, a door that was opened stays shut in the map, in exports and in floor plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import (
    GraphConfig,
    KeyframeConfig,
    LevellingConfig,
    MapperConfig,
    WindowConfig,
)
from dens3r_ros.mapping.files.map_file import write_map
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.motion.config import MotionConfig

FRAMES, STANDING, OPENED = 30, 14, 10


class Doorway:
    """The box room, with a board before one wall that is there no more from one frame on."""

    name = "doorway"

    def __init__(self, room, opened: int = OPENED) -> None:
        self.room, self.opened, self.camera = room, opened, room.camera

    def __len__(self) -> int:
        return len(self.room)

    def _board(self, index: int, depth: np.ndarray) -> np.ndarray:
        """(h, w) bool: what shows the board, 2 m before the far wall."""
        height, width = depth.shape
        T, camera = self.room.poses[index], self.camera
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        rays = np.stack(
            ((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)), -1
        )
        out = rays @ T[:3, :3].T
        self._far = (2.0 - T[2, 3]) / np.where(out[..., 2] > 1e-6, out[..., 2], np.inf)
        at = T[:3, 3] + out * self._far[..., None]
        near = (np.abs(at[..., 0]) < 0.7) & (np.abs(at[..., 1]) < 0.7)
        return near & (self._far > 0.1) & (self._far < depth) & (index < self.opened)

    def __getitem__(self, index: int):
        index = range(len(self))[index]
        frame = self.room[index]
        board = self._board(index, self.room.truth(index).depth)
        y, x = np.nonzero(board)
        image = frame.image.copy()
        image[board] = np.stack(((x * 7919 + y * 104729) % 255, x % 255, y % 255), -1)
        return replace(frame, image=image)

    def truth(self, index: int):
        truth = self.room.truth(index)
        board = self._board(index, truth.depth)
        depth = np.where(board, self._far, truth.depth).astype(np.float32)
        return replace(truth, depth=depth)


@pytest.fixture(scope="module")
def doorway(box_room, camera_pose):
    s = np.linspace(0, 1, FRAMES)
    s = np.append(s, 1 + 0.01 * np.sin(np.arange(STANDING)))  # in the end it stands and looks
    poses = [camera_pose(0.8 * np.sin(5 * t), 0.1 * np.sin(9 * t), -1.5 + 0.8 * t) for t in s]
    return Doorway(box_room(np.array(poses)))


def config(enabled: bool) -> MapperConfig:
    return MapperConfig(
        graph=GraphConfig(child_process=False),
        window=WindowConfig(keyframes=3),
        keyframes=KeyframeConfig(min_matched=0.85),
        levelling=LevellingConfig(level="camera"),
        motion=MotionConfig(enabled=enabled),
    )


def mapped(source, clearing: bool) -> Mapper:
    """With motion told, and with or without looking at earlier keyframes."""
    mapper = Mapper(OracleEngine(source, long_side=160, metric=True), config(True))
    if not clearing:
        mapper._session.world._clearing = None
    for index in range(len(source)):
        mapper.step(source[index])
    mapper.finish()
    return mapper


def on_board(mapper: Mapper, source) -> list[int]:
    """Sure points of each keyframe that lie where the board was; the first camera is the map."""
    found = []
    for view in mapper.keyframes():
        T = source.room.poses[0] @ np.linalg.inv(mapper.keyframes()[0].T_map_camera)
        T = T @ view.T_map_camera
        points = view.points[view.confidence > 1.5] @ T[:3, :3].T + T[:3, 3]
        near = (np.abs(points[:, 2] - 2.0) < 0.25) & (np.abs(points[:, :2]) < 0.6).all(1)
        found.append(int(near.sum()))
    return found


@pytest.fixture(scope="module")
def cleared(doorway) -> Mapper:
    return mapped(doorway, True)


def test_what_was_taken_away_leaves_live_and_archived_keyframes(doorway, cleared, tmp_path) -> None:
    kept = mapped(doorway, False)
    assert cleared.keyframes()[0].in_window is False
    before, after = on_board(kept, doorway), on_board(cleared, doorway)
    assert sum(before) > 300
    assert sum(after) < 0.25 * sum(before)
    path = tmp_path / "doorway.map"
    write_map(path, cleared.snapshot())
    archived = {one.stored.id: one.stored for one in read_map(path).keyframes}
    assert (archived[0].depth == 0).sum() > 50


def test_it_is_the_same_each_time(doorway, cleared) -> None:
    other = mapped(doorway, True)
    for a, b in zip(cleared.keyframes(), other.keyframes(), strict=True):
        assert np.array_equal(a.confidence, b.confidence) and a.revision == b.revision


def test_a_board_that_stays_loses_nothing(doorway) -> None:
    still = Doorway(doorway.room, opened=len(doorway))
    kept, looked_at = mapped(still, False), mapped(still, True)
    sure = [
        sum(int((view.confidence > 1.5).sum()) for view in mapper.keyframes())
        for mapper in (kept, looked_at)
    ]
    assert sure[1] > 0.995 * sure[0]
    assert sum(on_board(looked_at, still)) > 0.99 * sum(on_board(kept, still))


def test_off_nothing_looks(doorway) -> None:
    with Mapper(OracleEngine(doorway, long_side=160), config(False)) as mapper:
        assert mapper._session.world._clearing is None
