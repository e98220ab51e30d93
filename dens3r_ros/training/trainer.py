# SPDX-License-Identifier: Apache-2.0
"""The loop: render, learn, look, save; resumed to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dens3r_ros.network.checkpoints.load import save_network
from dens3r_ros.network.parts.described import to_json
from dens3r_ros.training.checkpoint import load_state, save_state
from dens3r_ros.training.clock import Clock
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.pairs import PairSource
from dens3r_ros.training.data.prefetch import Prefetcher
from dens3r_ros.training.distributed import ProcessGroup
from dens3r_ros.training.journal import Journal
from dens3r_ros.training.losses.objectives import Batch, PairObjective
from dens3r_ros.training.losses.views_losses import ViewsObjective
from dens3r_ros.training.losses.views_truth import ViewsBatch
from dens3r_ros.training.optimization.average import WeightAverage
from dens3r_ros.training.optimization.meter import Meter
from dens3r_ros.training.optimization.optimizers import Optimizers, freeze
from dens3r_ros.training.optimization.schedule import Moment, Schedule
from dens3r_ros.training.starting_objective import depths, starting_objective
from dens3r_ros.training.validation.evaluator import Evaluator
from dens3r_ros.training.validation.views import ViewsEvaluator


@dataclass(frozen=True)
class Progress:
    """How far a run is, told after each step; `row` is there when something was logged."""

    step: int
    steps: int
    pairs: int
    total_pairs: int
    row: dict[str, float] | None = None


WEIGHTS = "weights.safetensors"
Watch = Callable[[Progress], None]


class Trainer:
    """A run in its folder."""

    def __init__(
        self, config: TrainingConfig, world: ProcessGroup, folder: Path, resume: Path | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_float32_matmul_precision("high")
        self.config, self.world, self.folder = config, world, folder
        self.schedule = Schedule(config)
        self.objective = starting_objective(config).to(world.device)
        network = self.objective.network
        freeze(network, config.optimization.frozen)
        self.optimizers = Optimizers(self.objective, config.optimization, depths(network))
        self.average = WeightAverage(self.objective, config.ema)
        self.step, self.seconds = 0, 0.0
        if resume is not None:
            self._restore(load_state(resume), resume)
        if config.compile:
            self.objective.compile_parts()
        self._module = world.wrap(self.objective)
        self._evaluator = Evaluator(config, world.device)
        self._views = None if config.views is None else ViewsEvaluator(config, world.device)
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder, resume, self.step) if world.leads else None

    def run(
        self,
        minutes: float | None = None,
        watch: Watch | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train to the end, or until the minutes are over or `stopped` says so; then save."""
        settings = self.config
        clock = Clock(
            settings.checkpoint_minutes, settings.evaluation.minutes, minutes, self.seconds
        )
        meter = Meter()
        steps = range(self.step, self.schedule.steps)
        source = PairSource(self.config, self.schedule, self.world)
        ahead = 0 if self.world.device.type == "cuda" else self.config.ahead
        with Prefetcher(source.batch, steps, ahead) as batches:
            for batch in batches:
                self._learn(batch, meter)
                row = self._look(meter, clock) if clock.due() else None
                self._tell(watch, row)
                if self.world.agree(stopped() or clock.over()):
                    break
        self._finish(meter, clock, watch)

    def _finish(self, meter: Meter, clock: Clock, watch: Watch | None) -> None:
        row = self._look(meter, clock, last=True) if meter.steps else None
        self._tell(watch, row)

    def _learn(self, batch: Batch | ViewsBatch, meter: Meter) -> None:
        moment = self.schedule.at(self.step)
        losses = self._module(batch, self.config.phases[moment.phase].losses)
        losses["total"].backward()
        norm = self.optimizers.step(moment.lr)
        self.average.update(self.objective, self.step)
        self.step += 1
        meter.add(moment, losses, norm)

    def _look(self, meter: Meter, clock: Clock, last: bool = False) -> dict[str, float]:
        """Evaluate the averaged weights, log, and save; only the leading process."""
        with clock.saving():
            self.seconds = clock.total()
            row = meter.row(self.seconds)
            if self.world.leads and self._journal is not None:
                if clock.evaluation_due() or last:
                    row.update(self._evaluate(meter.last))
                self._journal.write(row)
                self.save()
        meter.restart()
        return row

    def _evaluate(self, moment: Moment) -> dict[str, float]:
        objective = self.average.module
        if self._views is not None and isinstance(objective, ViewsObjective):
            return self._views.run(objective, moment.size)
        if not isinstance(objective, PairObjective):
            return {}
        return self._evaluator.run(objective, moment.size, self.folder / "heldout.png")

    def _tell(self, watch: Watch | None, row: dict[str, float] | None) -> None:
        if watch is not None and self.world.leads:
            pairs = self.schedule.pairs_before(self.step)
            total = self.config.total_pairs
            watch(Progress(self.step, self.schedule.steps, pairs, total, row))

    def save(self) -> None:
        """Write the whole state, and the averaged weights in half precision."""
        save_state(self.folder, self._state())
        save_network(self.average.module.network, self.folder / WEIGHTS, torch.float16)

    def _state(self) -> dict[str, Any]:
        return {
            "network": to_json(self.objective.network.description),
            "step": self.step,
            "seconds": self.seconds,
            "objective": self.objective.state_dict(),
            "average": self.average.module.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "random": torch.get_rng_state(),
        }

    def _restore(self, state: dict[str, Any], source: Path) -> None:
        if state["network"] != to_json(self.objective.network.description):
            raise ValueError(f"{source} holds a run of another network than the configuration's")
        self.step, self.seconds = state["step"], state["seconds"]
        self.objective.load_state_dict(state["objective"])
        self.average.module.load_state_dict(state["average"])
        self.optimizers.load_state_dict(state["optimizers"])
        torch.set_rng_state(state["random"])
