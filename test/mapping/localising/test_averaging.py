# SPDX-License-Identifier: Apache-2.0
"""If these fail, a photo is placed by relative poses where it was not taken, or where they cannot
tell where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dens3r_ros.engines.relative.by_points import PosesByPoints
from dens3r_ros.engines.relative.protocol import RelativePose
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.localising.averaging import AveragingLocaliser
from dens3r_ros.mapping.localising.opinions import Located


@pytest.fixture(scope="module")
def aside(box_room: Any, camera_pose: Any) -> Any:
    """A walk that swings from side to side, so that keyframes surround what lies between."""
    s = np.linspace(0, 1, 16)
    return box_room(
        np.array([camera_pose(1.2 * np.sin(9 * t), 0.1, 1.5 * t - 2, 12 * t, 4) for t in s])
    )


@pytest.fixture(scope="module")
def saved(aside: Any, map_of: Any) -> Path:
    saved: Path = map_of(aside, 0.85)
    return saved


def test_keyframes_around_a_photo_place_it(saved: Path, aside: Any) -> None:
    loaded = read_map(saved)
    assert len(loaded.keyframes) >= 4
    localiser = AveragingLocaliser(loaded, PosesByPoints(OracleEngine(aside, long_side=160)))
    first = np.linalg.inv(loaded.poses[0])
    for index in (5, 9):
        place = localiser.place(aside[index])
        assert isinstance(place, Located), place
        wanted = np.linalg.inv(aside.poses[0]) @ aside.poses[index]
        off = np.linalg.inv(wanted) @ first @ place.T_map_camera
        assert np.linalg.norm(off[:3, 3]) < min(0.25, 4 * place.sigma[0])
        assert np.trace(off[:3, :3]) > 1 + 2 * np.cos(np.deg2rad(1.5))
        assert place.lens == "given" and len(place.keyframes) >= 2 and 0 < place.inliers <= 1
    mapped = localiser.place(replace(aside[5], intrinsics=None))
    assert isinstance(mapped, Located) and mapped.lens == "map"


class Blind(PosesByPoints):
    """Sees nothing in common."""

    def relative(self, a: Any, b: Any) -> RelativePose | None:
        """See `RelativePoser`."""
        return None


def test_what_is_not_known_is_a_reason(saved: Path, aside: Any) -> None:
    engine, loaded = OracleEngine(aside, long_side=160), read_map(saved)
    nothing = AveragingLocaliser(loaded, Blind(engine)).place(aside[5])
    assert isinstance(nothing, str) and "shows the same place" in nothing
    small = replace(aside[5], image=np.zeros((32, 48, 3), np.uint8), intrinsics=None)
    reason = AveragingLocaliser(loaded, Blind(engine)).place(small)
    assert isinstance(reason, str) and "pixels are too few" in reason


class AlongALine(PosesByPoints):
    """Tells that every keyframe has the photo straight ahead in the map."""

    def __init__(self, engine: Any, turns: dict[int, np.ndarray]) -> None:
        super().__init__(engine)
        self._turns = turns

    def relative(self, a: Any, b: Any) -> RelativePose | None:
        """See `RelativePoser`."""
        T = np.eye(4)
        T[:3, :3] = self._turns[a.frame.stamp].T
        T[:3, 3] = self._turns[a.frame.stamp].T @ [0.0, 0.0, 1.0]
        return RelativePose(T)


def test_a_photo_on_the_keyframes_line_is_told(saved: Path, aside: Any) -> None:
    loaded = read_map(saved)
    turns = {one.stored.stamp: loaded.poses[one.stored.id][:3, :3] for one in loaded.keyframes}
    poser = AlongALine(OracleEngine(aside, long_side=160), turns)
    reason = AveragingLocaliser(loaded, poser).place(aside[5])
    assert isinstance(reason, str) and "lies on one line" in reason
