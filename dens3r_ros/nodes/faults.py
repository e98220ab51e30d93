# SPDX-License-Identifier: Apache-2.0
"""What went wrong and still does, and which errors a node cannot go on from."""

from __future__ import annotations

import re
import time

from dens3r_ros.mapping.graph.solver_process import SolverFailed

_BROKEN_CONTEXT = re.compile(r"\b(CUDA|CUDNN|cuDNN|HIP) (error|failure)", re.IGNORECASE)
IMAGE = "image"
_AGAIN_AFTER_S = 10.0
"""Seconds after which an error that stands is told in the log again."""


def is_final(error: BaseException) -> bool:
    """Whether the GPU's context is lost, so that every later call of this process fails too.

    Memory that ran out is none of these: engines free it and try smaller.
    """
    return bool(_BROKEN_CONTEXT.search(str(error))) and "out of memory" not in str(error)


class Faults:
    """The last error of each stage until that stage works again, and the one that ended it all."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self.failure = ""
        """Why no image is taken any more; empty while images are taken."""
        self.beyond_recovery = False
        """Whether only a new process can go on."""

    @property
    def text(self) -> str:
        """Every error that still stands; empty where all is well."""
        return self.failure or "; ".join(list(self._texts.values()))

    @property
    def of_image(self) -> str:
        """Why the last image was not processed."""
        return self._texts.get(IMAGE, "")

    def add(self, stage: str, error: BaseException) -> bool:
        """Note an error; whether it should be told in the log, which the same one every image is
        not."""
        text = f"error ({stage}): {type(error).__name__}: {error}"
        self._texts[stage] = text
        if is_final(error):
            self.beyond_recovery = True
            self.failure = f"{text}; restart the node"
        elif isinstance(error, SolverFailed):
            self.failure = f"{error}; the map can be saved, ~/reset or ~/load_map begins anew"
        before, when = self._told.get(stage, ("", 0.0))
        if text == before and time.monotonic() - when < _AGAIN_AFTER_S:
            return False
        self._told[stage] = text, time.monotonic()
        return True

    def clear(self, stage: str) -> None:
        """This stage has worked."""
        self._texts.pop(stage, None)

    def begin_anew(self) -> None:
        """The map has been given up or replaced."""
        if not self.beyond_recovery:
            self._texts.clear()
            self.failure = ""
