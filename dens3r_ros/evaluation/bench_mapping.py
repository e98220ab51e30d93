# SPDX-License-Identifier: Apache-2.0
"""What mapping costs a frame, and whether it stays that way."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from dens3r_ros.engines.protocol import Engine, EngineInfo, Features, Outputs
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import KeyframeConfig, MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, GraphChanges
from dens3r_ros.mapping.graph.solver_process import ChildSolver
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.sources.procedural import ProceduralWalk
from dens3r_ros.sources.source import Truth

Result = TypeVar("Result")

_STEP_NS = 100_000_000
_NEVER = 2.0
"""A share of overlap that nothing reaches, so that keyframes go on being made."""


class BackAndForth:
    """A few frames of a walk, kept in memory and walked forth and back for as long as wanted."""

    name = "back and forth"

    def __init__(self, size: tuple[int, int], kept: int, frames: int) -> None:
        walk = ProceduralWalk(f"procedural:walk?seed=5&frames=900&size={size[1]}x{size[0]}")
        self._frames = [(walk[3 * n], walk.truth(3 * n)) for n in range(kept)]
        self._count = frames

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        index = range(self._count)[index]
        return replace(self._at(index)[0], stamp=(index + 1) * _STEP_NS)

    def truth(self, index: int) -> Truth:
        """Of the frame at `index`."""
        return self._at(index)[1]

    def _at(self, index: int) -> tuple[Frame, Truth]:
        last = len(self._frames) - 1
        return self._frames[last - abs(index % (2 * last) - last)]


class TimedEngine:
    """An engine whose own time is known, so that it can be taken off."""

    def __init__(self, engine: Engine) -> None:
        self.info: EngineInfo = engine.info
        self.seconds = np.zeros(2)
        self._engine = engine

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """As the engine does."""
        return self._timed(lambda: self._engine.encode(frames))

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """As the engine does."""
        return self._timed(lambda: self._engine.decode(pairs, outputs))

    def _timed(self, call: Callable[[], Result]) -> Result:
        began = _clocks()
        try:
            return call()
        finally:
            self.seconds += _clocks() - began


@dataclass(frozen=True)
class BenchSize:
    """size (height, width) of the frames; frames walked; distinct ones among them."""

    size: tuple[int, int] = (384, 512)
    frames: int = 2000
    kept: int = 40


class _Costs:
    """Of every frame: milliseconds (wall, processor) until the answer and of the work put off by
    it, by stage, and memory."""

    def __init__(self, mapper: Mapper, engine: TimedEngine) -> None:
        self.answer: list[np.ndarray] = []
        self.after: list[np.ndarray] = []
        self.plain: list[bool] = []
        self.stages: list[dict[str, float]] = []
        self.memory: list[float] = []
        self._mapper, self._engine = mapper, engine

    def take(self, frame: Frame) -> Update:
        """Step with a frame, and do what it leaves to do."""
        update, answer = self._own(lambda: self._mapper.step(frame))
        _, after = self._own(self._mapper.catch_up)
        self.answer.append(answer)
        self.after.append(after)
        self.plain.append(not update.keyframe_made)
        self.stages.append({**update.timings, "between frames": float(after[0])})
        self.memory.append(_megabytes())
        return update

    def _own(self, call: Callable[[], Result]) -> tuple[Result, np.ndarray]:
        """What a call gives, and its milliseconds without the engine's."""
        before, began = self._engine.seconds.copy(), _clocks()
        result = call()
        return result, 1000 * (_clocks() - began - (self._engine.seconds - before))


def bench_mapping(options: BenchSize, progress: Callable[[int], None]) -> dict[str, object]:
    """Milliseconds a frame without the engine, by stage, early and late; memory; the solver."""
    source = BackAndForth(options.size, options.kept, options.frames)
    engine = TimedEngine(OracleEngine(source, long_side=max(options.size)))
    config = MapperConfig(keyframes=KeyframeConfig(reuse_overlap=_NEVER))
    with Mapper(engine, config) as mapper:
        costs = _Costs(mapper, engine)
        for index in range(len(source)):
            counters = costs.take(source[index]).counters
            progress(index + 1)
    answer, plain = np.array(costs.answer), np.array(costs.plain)
    whole = answer + np.array(costs.after)
    spent, cpu = _medians(whole[:, 0]), _medians(whole[:, 1])
    return {
        "size": f"{options.size[1]}x{options.size[0]}",
        "frames": options.frames,
        "keyframes": counters.keyframes,
        "ms_median": float(np.median(whole[:, 0])),
        "ms_p95": float(np.percentile(whole[:, 0], 95)),
        "ms_mean": float(whole[:, 0].mean()),
        "cpu_ms_median": float(np.median(whole[:, 1])),
        "cpu_ms_mean": float(whole[:, 1].mean()),
        "answer_ms_median": float(np.median(answer[:, 0])),
        "answer_ms_p95": float(np.percentile(answer[:, 0], 95)),
        "answer_ms_at_keyframes": float(np.median(answer[~plain, 0])) if (~plain).any() else None,
        "ms_by_hundred": spent,
        "cpu_ms_by_hundred": cpu,
        "ms_last_by_second_hundred": _ratio(spent, 1),
        "cpu_ms_last_by_second_hundred": _ratio(cpu, 1),
        "ms_by_stage": _stages(costs.stages),
        "resident_mb_by_hundred": costs.memory[99::100],
        "resident_last_by_third_hundred": _ratio(costs.memory[99::100], 2),
        "solve_1000_keyframes_ms": solve_milliseconds(1000),
    }


def _ratio(values: Sequence[float], early: int) -> float | None:
    """Of the last to an early one, where there are so many."""
    return values[-1] / values[early] if len(values) > early + 1 else None


def solve_milliseconds(keyframes: int) -> float:
    """A solve in the child process after one keyframe more, with everything sent before."""
    random = np.random.default_rng(0)
    poses = {0: np.eye(4)}
    edges = []
    covariance = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])
    for n in range(1, keyframes + 1):
        angle = 2 * np.pi * n / 100
        S = np.eye(4)
        S[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        S[:3, 3] = 5 * np.cos(angle), 5 * np.sin(angle), 0.01 * n
        poses[n] = S
        for before in range(max(0, n - 3), n):
            Z = np.linalg.inv(poses[before]) @ S
            Z[:3, 3] += random.normal(0, 0.01, 3)
            edges.append(Edge(before, n, Z, covariance))
    solver = ChildSolver(metric=False)
    numbered = dict(enumerate(edges))
    last = {number: numbered.pop(number) for number in list(numbered)[-3:]}
    old = {n: S for n, S in poses.items() if n < keyframes}
    solver.ask(GraphChanges(old, numbered))
    solver.answer()
    began = time.perf_counter()
    solver.ask(GraphChanges({keyframes: poses[keyframes]}, last))
    solver.answer()
    spent = time.perf_counter() - began
    solver.close()
    return 1000 * spent


def _clocks() -> np.ndarray:
    """(2,) seconds: of the wall, and of this process on all its cores, whatever else runs."""
    return np.array([time.perf_counter(), time.process_time()])


def _medians(values: np.ndarray) -> list[float]:
    """Of every hundred frames."""
    return [float(np.median(part)) for part in np.split(values, range(100, len(values), 100))]


def _stages(stages: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Per stage the mean over all frames and the median of those that had it; `decode` and
    `encode` are the oracle's, and the keyframe's stage contains its decoding."""
    names = sorted({name for stage in stages for name in stage})
    return {
        name: {
            "mean": float(np.mean([stage.get(name, 0.0) for stage in stages])),
            "median_where_run": float(np.median([s[name] for s in stages if name in s])),
        }
        for name in names
    }


def _megabytes() -> float:
    """Memory of this process that is resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
