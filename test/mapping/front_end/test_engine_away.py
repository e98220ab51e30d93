# SPDX-License-Identifier: Apache-2.0
"""A robot leaves the reach of its server: if these fail, it stands there without a pose, or with a
map that never goes on."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.engines.protocol import DistantEngine, EngineAway
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import DecodingConfig, GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking, Update

CONFIG = MapperConfig(decoding=DecodingConfig(3, 2), graph=GraphConfig(child_process=False))
BRIEFLY, LONG = range(18, 26), range(18, 34)
"""While the view turns by 10 and by 19 degrees; what is beyond the keyframe's edge is unknown."""
FRAMES = 48


class Distant(OracleEngine):
    """The oracle, which may be away."""

    away = False

    @property
    def trouble(self) -> str:
        return "gone" if self.away else ""

    def figures(self) -> dict[str, str]:
        return {}

    def decode(self, pairs, outputs):  # type: ignore[no-untyped-def]
        if self.away:
            raise EngineAway("gone")
        return super().decode(pairs, outputs)


def walked(source, away: range) -> tuple[list[Update], Mapper]:
    engine = Distant(source, long_side=160)
    assert isinstance(engine, DistantEngine)
    updates = []
    with Mapper(engine, CONFIG) as mapper:
        for n in range(FRAMES):
            engine.away = n in away
            updates.append(mapper.step(source[n]))
        mapper.finish()
    return updates, mapper


def ate(source, mapper: Mapper) -> tuple[int, float]:
    index_of = {source[i].stamp: i for i in range(FRAMES)}
    placed = mapper.trajectory()
    stamps = np.array([pose.stamp for pose in placed]) * 1e-9
    assert len(set(stamps)) == len(stamps), "no frame is told twice"
    truth = np.array([source.truth(index_of[pose.stamp]).T_world_camera for pose in placed])
    poses = np.array([pose.T_map_camera for pose in placed])
    return len(placed), compare(stamps, poses, truth).ate_sim3_m


@pytest.fixture(scope="module")
def stroll(box_room, camera_pose):
    steps = [
        camera_pose(0.02 * n, 0.2 * np.sin(0.1 * n), 0.01 * n - 2, 1.2 * n) for n in range(FRAMES)
    ]
    return box_room(np.array(steps), (168, 240))


@pytest.mark.parametrize("away", [BRIEFLY, LONG])
def test_tracking_goes_on_and_so_does_the_map_when_the_engine_is_back(away, stroll) -> None:
    updates, mapper = walked(stroll, away)
    assert all(updates[n].state is Tracking.TRACKING for n in away)
    assert not any(updates[n].decoded for n in away[3:])
    assert any(update.decoded for update in updates[away.stop + 1 : away.stop + 8])
    assert ate(stroll, mapper)[0] == FRAMES


def test_a_short_absence_changes_the_way_little(stroll) -> None:
    undisturbed = ate(stroll, walked(stroll, range(0))[1])[1]
    assert ate(stroll, walked(stroll, BRIEFLY)[1])[1] <= 1.3 * undisturbed


def test_a_map_begins_once_the_engine_is_there(stroll) -> None:
    updates, _ = walked(stroll, range(12))
    assert not any(update.T_map_camera is not None for update in updates[:12])
    assert updates[-1].state is Tracking.TRACKING
