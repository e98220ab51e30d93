# SPDX-License-Identifier: Apache-2.0
"""Every other frame of a sequence placed in a map of the frames between, against the truth."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.engines.relative.by_points import PosesByPoints
from dens3r_ros.evaluation.metrics.similarity import FEWEST, similarity_of_poses
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.localising.averaging import AveragingLocaliser
from dens3r_ros.mapping.localising.localiser import Localiser
from dens3r_ros.mapping.localising.opinions import Located
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.sources.source import Source, SourceError

FAR_OFF_M = 0.5
"""Metres from the truth beyond which an answer counts as wrong."""


@dataclass(frozen=True)
class LocalisingOptions:
    """every: take each N-th frame of the sequence; calibrated: frames keep their intrinsics;
    averaging: relative poses are averaged, and the map's points not used."""

    every: int = 1
    calibrated: bool = False
    averaging: bool = False


@dataclass(frozen=True)
class LocalisingFigures:
    """Figures of one sequence, NaN where there is nothing to tell.

    asked: images with a true pose; answered: share that got a place; judged: answers in pieces of
    the map that line up with the truth; median_m, worst_m, median_deg, worst_deg: of these; wrong:
    more than `FAR_OFF_M` off; within_3_sigma: share whose position errs by less than three of its
    own standard deviations; map_median_m: error of the map's own frames, after the same alignment;
    reasons: of images without an answer.
    """

    sequence: str
    engine: str
    map_frames: int
    keyframes: int
    pieces: int
    asked: int
    answered: float
    judged: int
    median_m: float
    median_deg: float
    worst_m: float
    worst_deg: float
    wrong: int
    within_3_sigma: float
    map_median_m: float
    ms_per_image: float
    reasons: dict[str, int]


def evaluate_localising(
    source: Source,
    engine: Engine,
    config: MapperConfig,
    options: LocalisingOptions,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> LocalisingFigures:
    """Map the second, fourth... of the frames taken, save and load that, and place the others."""
    taken = [i for i in range(0, len(source), options.every) if _known(source, i)]
    mapped, asked = taken[1::2], taken[::2]
    if len(mapped) < FEWEST:
        raise SourceError(
            f"{source.name} has {len(taken)} frames with true depth and pose: too few for a map of"
            " every other one"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.map"
        with Mapper(engine, config) as mapper:
            for number, index in enumerate(mapped):
                mapper.step(_frame(source, index, options))
                progress(number + 1, len(taken))
            mapper.finish()
            mapper.save(path)
        loaded = read_map(path)
        localiser = Localiser(loaded, engine, config)
    alignment = _Alignment(source, localiser, mapped)
    placing: Localiser | AveragingLocaliser = localiser
    if options.averaging:
        placing = AveragingLocaliser(loaded, PosesByPoints(engine))
    answers, began = [], time.monotonic()
    for number, index in enumerate(asked):
        answers.append((index, placing.place(_frame(source, index, options))))
        progress(len(mapped) + number + 1, len(taken))
    ms = 1000 * (time.monotonic() - began) / len(asked)
    return _figures(source, engine, localiser, alignment, answers, (len(mapped), ms))


class _Alignment:
    """S_world_map (4, 4) of each piece of a map, by the truth of the frames that made it; errors
    (N,) metres of these frames after it."""

    def __init__(self, source: Source, localiser: Localiser, mapped: list[int]) -> None:
        world = localiser.world
        truth = {source[i].stamp: _pose(source, i) for i in mapped}
        placed = world.records.placed(world.graph.poses)
        self.S: dict[int, np.ndarray] = {}
        self.errors = np.zeros(0)
        for piece in world.graph.pieces:
            own = [p for p in placed if world.graph.pieces[p.keyframe_id] == piece]
            found = np.array([pose.T_map_camera for pose in own]).reshape(-1, 4, 4)
            wanted = np.array([truth[pose.stamp] for pose in own]).reshape(-1, 4, 4)
            S = similarity_of_poses(found, wanted)
            if S is not None:
                self.S[piece] = S
                moved = found[:, :3, 3] @ S[:3, :3].T + S[:3, 3]
                missed = np.linalg.norm(moved - wanted[:, :3, 3], axis=1)
                self.errors = np.append(self.errors, missed)

    def judge(self, place: Located, truth: np.ndarray) -> tuple[float, float, float] | None:
        """Metres and degrees off, and standard deviations of the position; None where the place
        lies in a piece that nothing ties to the truth."""
        S = self.S.get(place.piece)
        if S is None:
            return None
        off = np.linalg.inv(S) @ np.append(truth[:3, 3], 1.0)
        missed = off[:3] - place.T_map_camera[:3, 3]
        scale = np.cbrt(np.linalg.det(S[:3, :3]))
        turned = truth[:3, :3].T @ (S[:3, :3] / scale) @ place.T_map_camera[:3, :3]
        sigmas = np.sqrt(missed @ np.linalg.solve(place.covariance[:3, :3], missed) / 3)
        return float(scale * np.linalg.norm(missed)), float(np.rad2deg(turn(turned))), float(sigmas)


def _figures(
    source: Source,
    engine: Engine,
    localiser: Localiser,
    alignment: _Alignment,
    answers: list[tuple[int, Located | str]],
    cost: tuple[int, float],
) -> LocalisingFigures:
    places = [(index, one) for index, one in answers if isinstance(one, Located)]
    judged = [alignment.judge(one, _pose(source, index)) for index, one in places]
    errors = np.array([one for one in judged if one is not None]).reshape(-1, 3)
    if not len(errors):
        errors = np.full((1, 3), np.nan)
    reasons = Counter(one for _, one in answers if isinstance(one, str))
    return LocalisingFigures(
        sequence=source.name,
        engine=engine.info.name,
        map_frames=cost[0],
        keyframes=len(localiser.world.graph.poses),
        pieces=len(localiser.world.graph.pieces),
        asked=len(answers),
        answered=len(places) / len(answers),
        judged=sum(one is not None for one in judged),
        median_m=float(np.median(errors[:, 0])),
        median_deg=float(np.median(errors[:, 1])),
        worst_m=float(errors[:, 0].max()),
        worst_deg=float(errors[:, 1].max()),
        wrong=int((errors[:, 0] > FAR_OFF_M).sum()),
        within_3_sigma=float(np.mean(errors[:, 2] < 3)) if places else float("nan"),
        map_median_m=float(np.median(alignment.errors)) if len(alignment.errors) else float("nan"),
        ms_per_image=cost[1],
        reasons=dict(reasons),
    )


def _frame(source: Source, index: int, options: LocalisingOptions) -> Frame:
    frame = source[index]
    return frame if options.calibrated else replace(frame, intrinsics=None)


def _known(source: Source, index: int) -> bool:
    truth = source.truth(index)
    return truth is not None and bool(np.isfinite(truth.depth).any())


def _pose(source: Source, index: int) -> np.ndarray:
    truth = source.truth(index)
    assert truth is not None  # only frames of known pose are taken
    return truth.T_world_camera
