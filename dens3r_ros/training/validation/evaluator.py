# SPDX-License-Identifier: Apache-2.0
"""Looks at the held-out pairs with the weights of the moment."""

from __future__ import annotations

from pathlib import Path

import torch

from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.pairs import heldout_batch
from dens3r_ros.training.losses.objectives import Batch, PairObjective
from dens3r_ros.training.validation.heldout import Tally, pair_errors
from dens3r_ros.training.validation.pictures import sheet, write_png


class Evaluator:
    """The same held-out pairs each time, rendered once for each image size."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self._config, self._device = config, device
        self._size: tuple[int, int] | None = None
        self._batches: list[Batch] = []

    @torch.no_grad()
    def run(
        self, objective: PairObjective, size: tuple[int, int], picture: Path
    ) -> dict[str, float]:
        """Median errors over all held-out pairs, and a sheet of the first ones."""
        tally = Tally()
        for number, batch in enumerate(self._at(size)):
            there, back = objective.predict(batch)
            tally.add(pair_errors(there, back, batch.truth))
            if number == 0:
                shown = sheet(batch.images_a, batch.images_b, there, batch.truth)
                rows = self._config.evaluation.pictures * (size[1] + 2)
                write_png(picture, shown[:rows])
        return tally.summary()

    def _at(self, size: tuple[int, int]) -> list[Batch]:
        if size != self._size:
            settings = self._config.evaluation
            starts = range(0, settings.pairs, settings.batch)
            counts = [min(settings.batch, settings.pairs - start) for start in starts]
            self._batches = [
                heldout_batch(start, count, size, self._config, self._device)
                for start, count in zip(starts, counts, strict=True)
            ]
            self._size = size
        return self._batches
