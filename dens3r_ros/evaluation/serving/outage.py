# SPDX-License-Identifier: Apache-2.0
"""A walk at the camera's rate in whose middle the server of the network is killed and restarted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import DecodingConfig, GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import TimedPose, Update
from dens3r_ros.sources.source import Source, SourceError

_CONFIG = MapperConfig(decoding=DecodingConfig(every=0), graph=GraphConfig(child_process=False))


class Stoppable(Protocol):
    """A server that can be ended without warning and started again."""

    def kill(self) -> None:
        """End it."""

    def start(self) -> object:
        """Start it, and wait until it serves."""


@dataclass(frozen=True)
class OutageOptions:
    """rate: images a second; at: seconds into the walk when the server is killed; away: seconds
    until it is started again."""

    rate: float = 10.0
    at: float = 10.0
    away: float = 2.0


@dataclass
class _Absence:
    """When the server was gone and when it served again, on the monotonic clock."""

    gone: float = float("nan")
    back: float = float("nan")


@dataclass(eq=False)
class _Walked:
    """Updates with the times at which they were there, and the final trajectory."""

    updates: list[tuple[float, Update]]
    placed: list[TimedPose]


def measure_outage(
    source: Source,
    make_engine: Callable[[], Engine],
    server: Stoppable,
    options: OutageOptions,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, object]:
    """The walk undisturbed, then with the absence; what was lost."""
    if len(source) / options.rate < options.at + options.away + 3:
        raise SourceError(
            f"{len(source)} images at {options.rate:g} a second end before the server is back:"
            " take a longer sequence, a lower --rate or an earlier --at"
        )
    frames, truth = _drawn(source)
    tell("undisturbed")
    undisturbed = _walk(frames, make_engine(), options.rate)
    engine, absence = make_engine(), _Absence()
    with ThreadPoolExecutor(1, "dens3r-outage") as beside:
        killing = beside.submit(_kill, server, absence, options, tell)
        disturbed = _walk(frames, engine, options.rate)
        killing.result()
    ates = [_ate(truth, walked.placed) for walked in (undisturbed, disturbed)]
    return _figures(ates, undisturbed, disturbed, absence)


def _drawn(source: Source) -> tuple[list[Frame], dict[int, np.ndarray]]:
    """All frames, and T_world_camera by stamp: sources may take long to tell either."""
    frames, truth = [], {}
    for number in range(len(source)):
        frame, known = source[number], source.truth(number)
        frames.append(frame)
        if known is not None:
            truth[frame.stamp] = known.T_world_camera
    if not truth:
        raise SourceError(f"{source.name} has no true poses to compare with.")
    return frames, truth


def _kill(
    server: Stoppable, absence: _Absence, options: OutageOptions, tell: Callable[[str], None]
) -> None:
    time.sleep(options.at)
    server.kill()
    absence.gone = time.monotonic()
    tell("the server is killed")
    time.sleep(options.away)
    server.start()
    absence.back = time.monotonic()
    tell("the server is back")


def _walk(frames: Sequence[Frame], engine: Engine, rate: float) -> _Walked:
    updates = []
    with Mapper(engine, _CONFIG) as mapper:
        began = time.monotonic()
        for number, frame in enumerate(frames):
            time.sleep(max(began + number / rate - time.monotonic(), 0))
            update = mapper.step(frame)
            updates.append((time.monotonic(), update))
        mapper.finish()
        return _Walked(updates, mapper.trajectory())


def _figures(
    ates: Sequence[float], undisturbed: _Walked, disturbed: _Walked, absence: _Absence
) -> dict[str, object]:
    before, after = ates
    away = [u for when, u in disturbed.updates if absence.gone <= when <= absence.back]
    # An answer that was on its way when the server was killed is not one of the restarted server.
    since = [when for when, u in disturbed.updates if u.decoded and when > absence.back]
    decoded = [sum(u.decoded for _, u in walked.updates) for walked in (undisturbed, disturbed)]
    return {
        "away_s": absence.back - absence.gone,
        "frames_meanwhile": len(away),
        "without_pose_meanwhile": sum(u.T_map_camera is None for u in away),
        "without_pose": sum(u.T_map_camera is None for _, u in disturbed.updates),
        "without_pose_undisturbed": sum(u.T_map_camera is None for _, u in undisturbed.updates),
        "resumed_after_s": since[0] - absence.back if since else float("nan"),
        "decodings_undisturbed": decoded[0],
        "decodings": decoded[1],
        "ate_undisturbed_m": before,
        "ate_m": after,
        "ate_ratio": after / before,
    }


def _ate(truth: Mapping[int, np.ndarray], placed: list[TimedPose]) -> float:
    """Metres after Sim(3), over the frames with a place."""
    known = [pose for pose in placed if pose.stamp in truth]
    stamps = np.array([pose.stamp for pose in known]) * 1e-9
    found = np.array([pose.T_map_camera for pose in known])
    return compare(stamps, found, np.array([truth[pose.stamp] for pose in known])).ate_sim3_m
