# SPDX-License-Identifier: Apache-2.0
"""What both ways of starting a run share: `python -m dens3r_ros.training` and `dens3r train`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

from dens3r_ros.training.checkpoint import STATE
from dens3r_ros.training.config_reader import read_config
from dens3r_ros.training.distributed import joined_world
from dens3r_ros.training.trainer import Trainer, Watch


@dataclass(frozen=True)
class Request:
    """What a person asked for; `changes` are "a.b=value" on top of the configuration.

    Resuming from the very folder that is written begins anew while nothing is there yet, so that
    one command starts a run and goes on with it.
    """

    config: Path
    out: Path | None = None
    resume: Path | None = None
    minutes: float | None = None
    changes: tuple[str, ...] = ()
    device: str = "auto"
    threads: int | None = None

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.out or self.resume or Path("runs") / self.config.stem


def train(request: Request, watch: Watch | None = None) -> None:
    """Train as asked; Ctrl-C and SIGTERM end the run after the step at hand, with all saved.

    Raises ValueError with a sentence for whatever does not fit.
    """
    config = read_config(request.config, list(request.changes))
    resume = request.resume
    begun = (request.folder / STATE).exists()
    if resume == request.out and not begun:
        resume = None
    elif resume is None and begun:
        raise ValueError(
            f"{request.folder} already holds a run: resume it with --resume {request.folder}, "
            "or choose another --out"
        )
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    with joined_world(request.device) as world, stop_signals() as stop:
        trainer = Trainer(config, world, request.folder, resume)
        trainer.run(request.minutes, watch, stop.asked)


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
