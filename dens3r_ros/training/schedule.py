# SPDX-License-Identifier: Apache-2.0
"""What happens at which step: a pure function of the configuration and the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dens3r_ros.training.config import Phase, TrainingConfig


@dataclass(frozen=True)
class Moment:
    """One step of training.

    size is (width, height); first_pair counts the pairs seen before over the whole run.
    """

    step: int
    phase: int
    size: tuple[int, int]
    batch: int
    first_pair: int
    lr: float


class Schedule:
    """Phases laid end to end."""

    def __init__(self, config: TrainingConfig) -> None:
        self.phases = config.phases
        self.steps = sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> Moment:
        """The step numbered `step`, from 0."""
        pairs, start = 0, step
        for number, phase in enumerate(self.phases):
            if step < phase.steps:
                return Moment(
                    start,
                    number,
                    phase.sizes[step % len(phase.sizes)],
                    phase.batch,
                    pairs + step * phase.batch,
                    learning_rate(phase, step * phase.batch),
                )
            step -= phase.steps
            pairs += phase.steps * phase.batch
        raise IndexError(f"the run has {self.steps} steps, not {start + 1}")

    def pairs_before(self, step: int) -> int:
        """Pairs seen before the step numbered `step`, which may be the one after the last."""
        pairs = 0
        for phase in self.phases:
            pairs += min(max(step, 0), phase.steps) * phase.batch
            step -= phase.steps
        return pairs


def learning_rate(phase: Phase, pairs: int) -> float:
    """After `pairs` pairs of the phase: a linear rise, then half a cosine."""
    if pairs < phase.warmup:
        return phase.lr * (pairs + phase.batch) / (phase.warmup + phase.batch)
    span = max(phase.pairs - phase.warmup, 1)
    done = min((pairs - phase.warmup) / span, 1.0)
    return phase.lr_end + (phase.lr - phase.lr_end) * (1 + math.cos(math.pi * done)) / 2
