# SPDX-License-Identifier: Apache-2.0
"""What is to be logged, summed between two rows of the log."""

from __future__ import annotations

import time

from torch import Tensor

from dens3r_ros.training.optimization.schedule import Moment


class Meter:
    """Losses stay on the device until a row is asked for."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.steps, self._pairs, self._norm = 0, 0, 0.0
        self._sums: dict[str, Tensor] = {}
        self._began = time.monotonic()

    def add(self, moment: Moment, losses: dict[str, Tensor], norm: float) -> None:
        """Take in a step."""
        if self.steps and set(losses) != set(self._sums):
            self.restart()  # a new phase has other losses
        self.last = moment
        self.steps += 1
        self._pairs += moment.batch
        self._norm += norm
        for name, loss in losses.items():
            self._sums[name] = self._sums[name] + loss.detach() if self.steps > 1 else loss.detach()

    def row(self, seconds: float) -> dict[str, float]:
        """Means since the restart, and where the run stands."""
        rate = self._pairs / max(time.monotonic() - self._began, 1e-9)
        return {
            "step": self.last.step + 1,
            "pairs": self.last.first_pair + self.last.batch,
            "seconds": seconds,
            "pairs_per_second": rate,
            "lr": self.last.lr,
            "gradient_norm": self._norm / self.steps,
            "width": self.last.size[0],
            "height": self.last.size[1],
            **{name: float(total) / self.steps for name, total in self._sums.items()},
        }
