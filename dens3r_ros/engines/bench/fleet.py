# SPDX-License-Identifier: Apache-2.0
"""Many robots and one server: what each of them waits for, and what the server gets done."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dens3r_ros.engines.protocol import Engine, EngineAway, Features, Outputs
from dens3r_ros.engines.remote.config import RemoteConfig
from dens3r_ros.engines.remote.engine import RemoteEngine, connect
from dens3r_ros.frame import Frame

_TRACKING = Outputs("ab", "a", "")
"""What mapping asks of every frame."""
_KEYFRAME = 10
"""Frames after which a robot takes up another keyframe."""


@dataclass(frozen=True)
class FleetOptions:
    """rate: frames a second of each robot, 0 as many as are answered; seconds: how long."""

    rate: float = 5.0
    seconds: float = 20.0
    warm_up: int = 2
    """Frames of each robot that are not counted."""


@dataclass(eq=False)
class _Robot:
    engine: RemoteEngine
    frames: Sequence[Frame]
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    late: int = 0
    """Frames that were due before the one before was answered."""

    def drive(self, options: FleetOptions, begin: threading.Barrier) -> None:
        """Go along its way until the time is over."""
        keyframe = self._warmed(options.warm_up)
        begin.wait()
        began, number = time.monotonic(), 0
        while time.monotonic() - began < options.seconds:
            if options.rate:
                due = began + number / options.rate
                self.late += time.monotonic() > due + 1 / options.rate
                time.sleep(max(due - time.monotonic(), 0))
            keyframe = self._frame(number, keyframe)
            number += 1

    def _warmed(self, frames: int) -> Features:
        keyframe = self.engine.encode([self.frames[0]])[0]
        for _ in range(frames):
            self.engine.decode([(keyframe, keyframe)], _TRACKING)
        return keyframe

    def _frame(self, number: int, keyframe: Features) -> Features:
        began = time.perf_counter()
        features = self.engine.encode([_fresh(self.frames, number)])[0]
        try:
            self.engine.decode([(features, keyframe)], _TRACKING)
        except EngineAway:
            self.failures += 1
            time.sleep(0.05)
            return keyframe
        self.latencies.append(time.perf_counter() - began)
        return features if number % _KEYFRAME == 0 else keyframe


def _fresh(frames: Sequence[Frame], number: int) -> Frame:
    """A frame of the walk; in later rounds of it moved sideways, for one that the server has seen
    already would cost it nothing."""
    frame = frames[number % len(frames)]
    image = np.roll(frame.image, number // len(frames), axis=1)
    return replace(frame, image=image)


def bench_alone(engine: Engine, frames: Sequence[Frame], seconds: float) -> np.ndarray:
    """Seconds of each frame (N,) where the network is in this process, as a robot would wait."""
    latencies: list[float] = []
    keyframe, began = engine.encode(frames[:1])[0], time.monotonic()
    while time.monotonic() - began < seconds:
        start = time.perf_counter()
        features = engine.encode([_fresh(frames, len(latencies))])[0]
        engine.decode([(features, keyframe)], _TRACKING)
        keyframe = features if len(latencies) % _KEYFRAME == 0 else keyframe
        latencies.append(time.perf_counter() - start)
    return np.array(latencies)


def bench_fleet(
    config: RemoteConfig,
    ways: Sequence[Sequence[Frame]],
    options: FleetOptions,
    tell: Callable[[str], None],
) -> dict[str, object]:
    """One robot for every way, all at once."""
    robots = [_Robot(connect(config), frames) for frames in ways]
    tell(f"{len(robots)} robots at {config.address}, {options.seconds:.0f} s")
    begin = threading.Barrier(len(robots) + 1)
    threads = [
        threading.Thread(target=robot.drive, args=(options, begin), daemon=True) for robot in robots
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    before = _bytes(robots)
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return _figures(robots, time.monotonic() - began, before, _bytes(robots))


def _bytes(robots: Sequence[_Robot]) -> np.ndarray:
    """Sent and received by all."""
    counts = [[r.engine.health.counted(way) for way in ("sent", "received")] for r in robots]
    return np.sum(counts, 0)


def _figures(
    robots: Sequence[_Robot], seconds: float, before: np.ndarray, after: np.ndarray
) -> dict[str, object]:
    each = [len(robot.latencies) for robot in robots]
    times = np.array([one for robot in robots for one in robot.latencies]) * 1e3
    batches: Counter[int] = Counter()
    for robot in robots:
        batches += robot.engine.health.batches
    up, down = (after - before) / seconds / 1e3
    middles = [float(np.median(robot.latencies)) for robot in robots if robot.latencies]
    p50, p95, p99 = np.percentile(times, (50, 95, 99)) if len(times) else (np.nan,) * 3
    return {
        "robots": len(robots),
        "frames": sum(each),
        "failures": sum(robot.failures for robot in robots),
        "late": sum(robot.late for robot in robots),
        "frames_per_second": sum(each) / seconds,
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
        "latency_ms_p99": p99,
        "slowest_over_fastest": max(middles) / min(middles) if middles else float("nan"),
        "fewest_over_most_frames": min(each) / max(max(each), 1),
        "pairs_a_batch": sum(k * v for k, v in batches.items()) / max(sum(batches.values()), 1),
        "up_kb_per_second": up,
        "down_kb_per_second": down,
        "kb_a_frame_up": up * seconds / max(sum(each), 1),
        "kb_a_frame_down": down * seconds / max(sum(each), 1),
    }
