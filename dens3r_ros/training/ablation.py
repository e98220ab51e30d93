# SPDX-License-Identifier: Apache-2.0
"""What each part of the recipe is worth: short runs of equal length, each without one part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dens3r_ros.training.checkpoint import STATE
from dens3r_ros.training.config import LossWeights, Phase, TrainingConfig
from dens3r_ros.training.distributed import joined_world
from dens3r_ros.training.entry import stop_signals
from dens3r_ros.training.journal import read_rows
from dens3r_ros.training.trainer import Trainer, Watch
from dens3r_ros.training.validation.mean_pointmap import mean_pointmap_errors

Change = Callable[[TrainingConfig], TrainingConfig]
MEASURES = (
    "held_point_a",
    "held_point_b",
    "held_normal_deg",
    "held_match_4px",
    "held_rotation_deg",
    "held_translation_deg",
    "held_focal",
)


@dataclass(frozen=True)
class Outcome:
    """How one run ended: its errors as in the log, without those of parts it does not train."""

    name: str
    seconds: float
    errors: dict[str, float]


def ablate(
    config: TrainingConfig,
    pairs: int,
    folder: Path,
    device: str = "auto",
    watch: Watch | None = None,
) -> Iterator[Outcome]:
    """Run each variant for `pairs` pairs, in folders of its name inside `folder`; runs that are
    there already are gone on with. The first outcome is that of no network at all.

    Ctrl-C and SIGTERM end after the step at hand, with all saved and no outcome told.
    """
    if config.objective != "pairs":
        raise ValueError(
            f"objective: parts of the recipe for pairs are measured, not {config.objective}"
        )
    config = shortened(config, pairs)
    with joined_world(device) as world:
        yield Outcome(
            "the mean pointmap", 0.0, mean_pointmap_errors(config, world, min(pairs, 1024))
        )
    with stop_signals() as stop:
        for name in VARIANTS:
            if not run_variant(name, config, folder, device, watch, stop.asked):
                return
            yield _outcome(name, read_rows(folder / _folder(name))[-1])


def run_variant(
    name: str,
    config: TrainingConfig,
    folder: Path,
    device: str = "auto",
    watch: Watch | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Begin or go on with one variant of a shortened run; whether it came to its end."""
    run = folder / _folder(name)
    resume = run if (run / STATE).exists() else None
    with joined_world(device) as world:
        trainer = Trainer(VARIANTS[name](config), world, run, resume)
        if trainer.step < trainer.schedule.steps:
            trainer.run(watch=watch, stopped=stopped)
    return trainer.step == trainer.schedule.steps


def _folder(name: str) -> str:
    return name.replace(" ", "-")


def _outcome(name: str, row: dict[str, str]) -> Outcome:
    errors = {measure: float(row[measure]) for measure in MEASURES if row[measure]}
    for measure in _UNTRAINED.get(name, ()):
        errors.pop(measure, None)
    return Outcome(name, float(row["seconds"]), errors)


def shortened(config: TrainingConfig, pairs: int) -> TrainingConfig:
    """The same run with all phases and warm-ups shortened alike to `pairs` pairs."""
    share = pairs / config.total_pairs

    def short(phase: Phase) -> Phase:
        return replace(phase, pairs=round(phase.pairs * share), warmup=round(phase.warmup * share))

    return replace(config, phases=tuple(short(phase) for phase in config.phases))


def _without(*losses: str) -> Change:
    off = dict.fromkeys(losses, 0.0)

    def change(config: TrainingConfig) -> TrainingConfig:
        def quiet(weights: LossWeights) -> LossWeights:
            return replace(weights, **off)

        phases = tuple(replace(phase, losses=quiet(phase.losses)) for phase in config.phases)
        return replace(config, phases=phases)

    return change


def _at_full_size(config: TrainingConfig) -> TrainingConfig:
    sizes = config.phases[-1].sizes
    return replace(config, phases=tuple(replace(phase, sizes=sizes) for phase in config.phases))


VARIANTS: dict[str, Change] = {
    "whole recipe": lambda config: config,
    "without intrinsic-invariant training": _without("canonical", "focal"),
    "without coarse to fine": _at_full_size,
    "without normals": _without("normals", "pointmap_normals"),
    "without matching": _without("matching"),
}
_UNTRAINED = {
    "without normals": ("held_normal_deg",),
    "without matching": ("held_match_4px",),
}
