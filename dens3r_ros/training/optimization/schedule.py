# SPDX-License-Identifier: Apache-2.0
"""What happens at which step: a pure function of the configuration and the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dens3r_ros.training.config import Phase, TrainingConfig


@dataclass(frozen=True)
class Moment:
    """One step of training.

    first_pair   pairs learned from before, over the whole run
    size         (width, height)
    chunk        which of the phase's renderings the step draws from
    first_fresh  pairs rendered before that rendering, over the whole run
    fresh_pairs  pairs in it
    round        how many times all of it has been gone through before
    place        which of the batches of this round it is
    """

    step: int
    phase: int
    size: tuple[int, int]
    batch: int
    lr: float
    first_pair: int
    chunk: int
    first_fresh: int
    fresh_pairs: int
    round: int
    place: int


class Schedule:
    """Phases laid end to end."""

    def __init__(self, config: TrainingConfig) -> None:
        self.phases = config.phases
        self.steps = sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> Moment:
        """The step numbered `step`, from 0."""
        pairs, fresh, start = 0, 0, step
        for number, phase in enumerate(self.phases):
            if step < phase.steps:
                return _moment(start, number, phase, step, pairs, fresh)
            step -= phase.steps
            pairs += phase.steps * phase.batch
            fresh += phase.chunks * phase.chunk * phase.batch
        raise IndexError(f"the run has {self.steps} steps, not {start + 1}")

    def pairs_before(self, step: int) -> int:
        """Pairs learned from before the step numbered `step`, or in all after the last."""
        pairs = 0
        for phase in self.phases:
            pairs += min(max(step, 0), phase.steps) * phase.batch
            step -= phase.steps
        return pairs


def _moment(step: int, number: int, phase: Phase, inner: int, pairs: int, fresh: int) -> Moment:
    chunk, within = divmod(inner, phase.chunk * phase.echo)
    rounds, place = divmod(within, phase.chunk)
    return Moment(
        step=step,
        phase=number,
        size=phase.sizes[chunk % len(phase.sizes)],
        batch=phase.batch,
        lr=learning_rate(phase, inner * phase.batch),
        first_pair=pairs + inner * phase.batch,
        chunk=chunk,
        first_fresh=fresh + chunk * phase.chunk * phase.batch,
        fresh_pairs=phase.chunk * phase.batch,
        round=rounds,
        place=place,
    )


def learning_rate(phase: Phase, pairs: int) -> float:
    """After `pairs` pairs of the phase: a linear rise, then half a cosine."""
    if pairs < phase.warmup:
        return phase.lr * (pairs + phase.batch) / (phase.warmup + phase.batch)
    span = max(phase.pairs - phase.warmup, 1)
    done = min((pairs - phase.warmup) / span, 1.0)
    return phase.lr_end + (phase.lr - phase.lr_end) * (1 + math.cos(math.pi * done)) / 2
