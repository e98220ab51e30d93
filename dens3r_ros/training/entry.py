# SPDX-License-Identifier: Apache-2.0
"""What both ways of starting a run share: `python -m dens3r_ros.training` and `dens3r train`."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from dens3r_ros.training.checkpoint import STATE
from dens3r_ros.training.config_reader import CONFIG, read_config, write_config
from dens3r_ros.training.distributed import joined_world
from dens3r_ros.training.trainer import Trainer, Watch


@dataclass(frozen=True)
class Request:
    """What a person asked for; `changes` are "a.b=value" on top of the configuration.

    Resuming from the very folder that is written begins anew while nothing is there yet, so that
    one command starts a run and goes on with it. Without `config`, the resumed run's own is taken.
    """

    config: Path | None
    out: Path | None = None
    resume: Path | None = None
    minutes: float | None = None
    changes: tuple[str, ...] = ()
    device: str = "auto"
    threads: int | None = None

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.out or self.resume or Path("runs") / self.described.stem

    @property
    def described(self) -> Path:
        """The configuration's file; ValueError where there is none."""
        if self.config is not None:
            return self.config
        if self.resume is None:
            raise ValueError("a configuration is needed: --config FILE")
        kept = self.resume / CONFIG
        if not kept.is_file():
            raise ValueError(
                f"{self.resume} holds no {CONFIG} to go on by: is it a run's folder? "
                "--config FILE names the configuration of an older one"
            )
        return kept


def train(request: Request, watch: Watch | None = None) -> None:
    """Train as asked; Ctrl-C and SIGTERM end the run after the step at hand, with all saved.

    Raises ValueError with a sentence for whatever does not fit.
    """
    config = read_config(request.described, list(request.changes))
    resume = request.resume
    begun = (request.folder / STATE).exists()
    if resume == request.out and not begun:
        resume = None
    elif resume is None and begun:
        raise ValueError(
            f"{request.folder} already holds a run: resume it with --resume {request.folder}, "
            "or choose another --out"
        )
    elif resume is not None and not (resume / STATE).is_file():
        raise ValueError(f"{resume} holds no {STATE} to resume from")
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    _try_to_write(request.folder)
    with joined_world(request.device) as world, stop_signals() as stop:
        trainer = Trainer(config, world, request.folder, resume)
        if world.leads:
            write_config(request.folder / CONFIG, config)
        trainer.run(request.minutes, watch, stop.asked)


def _try_to_write(folder: Path) -> None:
    """OSError where no results can be left, before anything is computed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


class _Stop:
    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._asked:  # a second one does not wait
            raise KeyboardInterrupt
        self._asked = True


@contextmanager
def stop_signals() -> Iterator[_Stop]:
    """While this holds, Ctrl-C and SIGTERM only ask to stop."""
    stop = _Stop()
    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
