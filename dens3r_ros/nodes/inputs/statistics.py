# SPDX-License-Identifier: Apache-2.0
"""Counts and durations that the node reports about itself; one thread writes, another reads."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

RECENT = 1000


@dataclass
class Durations:
    """The last thousand durations of each stage, in milliseconds."""

    _stages: dict[str, deque[float]] = field(default_factory=dict)
    _computed: dict[str, float] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def add(self, stage: str, milliseconds: float, computed: float = 0.0) -> None:
        """Record one duration, and what of it the stage's thread computed."""
        with self._changing:
            self._stages.setdefault(stage, deque(maxlen=RECENT)).append(milliseconds)
            self._computed[stage] = self._computed.get(stage, 0.0) + computed

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record how long the block takes."""
        began, busy = time.monotonic(), time.thread_time()
        yield
        computed = (time.thread_time() - busy) * 1e3
        self.add(name, (time.monotonic() - began) * 1e3, computed)

    def computed(self) -> dict[str, float]:
        """Milliseconds that each stage has computed since the start."""
        with self._changing:
            return {stage: self._computed[stage] for stage in self._stages}

    def percentiles(self) -> dict[str, tuple[float, float]]:
        """Median and 95th percentile of each stage."""
        with self._changing:
            stages = {stage: np.array(values) for stage, values in self._stages.items()}
        return {
            stage: (float(np.percentile(values, 50)), float(np.percentile(values, 95)))
            for stage, values in stages.items()
        }


@dataclass
class Rate:
    """Events a second over the last thousand events."""

    _times: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def tick(self, now: float) -> None:
        """Record an event at a monotonic time in seconds."""
        with self._changing:
            self._times.append(now)

    def per_second(self, now: float, window_s: float = 5.0) -> float:
        """Events in the last `window_s` seconds, a second."""
        with self._changing:
            recent = [t for t in self._times if now - t <= window_s]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(now - recent[0], 1e-9)


@dataclass(frozen=True)
class Counts:
    """Images since the node was configured."""

    received: int
    processed: int
    dropped: dict[str, int]
    """For each reason, in the order of the reasons."""

    @property
    def waiting(self) -> int:
        """Between arrival and the end of processing."""
        return self.received - self.processed - sum(self.dropped.values())


@dataclass
class FrameCounts:
    """Every image received is processed, dropped for a named reason, or still under way."""

    _received: int = 0
    _processed: int = 0
    decoded: int = 0
    """Decodings taken over, with whichever image."""
    _dropped: Counter[str] = field(default_factory=Counter)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def receive(self) -> None:
        """Count an image that arrived; `settle` or `drop` follows, once."""
        with self._changing:
            self._received += 1

    def settle(self, reason: str) -> None:
        """Count an image as dropped for a reason, or as processed where there is none."""
        with self._changing:
            if reason:
                self._dropped[reason] += 1
            else:
                self._processed += 1

    def drop(self, reason: str, count: int = 1) -> None:
        """Count images that will not be processed."""
        if count:
            with self._changing:
                self._dropped[reason] += count

    def now(self) -> Counts:
        """All of them at one moment."""
        with self._changing:
            return Counts(self._received, self._processed, dict(sorted(self._dropped.items())))
