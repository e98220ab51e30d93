# SPDX-License-Identifier: Apache-2.0
"""Depth of photos as their pairs predicted it, the best few of each photo, on disk."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

_BEST = 4
"""Pairs of a photo whose depth is kept: 500 photos then take a gigabyte at 512x384."""


class PairMapFiles:
    """A folder with depth and confidence of photos, by pair."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._kept: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for path in folder.glob("*.npz"):
            photo, other, support = (int(part) for part in path.stem.split("_"))
            self._kept[photo].append((support, other))

    def _path(self, photo: int, other: int, support: int) -> Path:
        return self._folder / f"{photo:06d}_{other:06d}_{support}.npz"

    def put(
        self, photo: int, other: int, support: int, depth: np.ndarray, confidence: np.ndarray
    ) -> None:
        """Keep depth and confidence (h, w), if there are no better ones of the photo."""
        kept = self._kept[photo]
        if (support, other) in kept:
            return
        kept.append((support, other))
        kept.sort(reverse=True)
        if (support, other) in kept[:_BEST]:
            small = np.where(np.isfinite(depth), depth, 0).clip(0, 6e4)
            path = self._path(photo, other, support)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.savez(
                    file,
                    depth=small.astype(np.float16),
                    confidence=confidence.clip(1, 6e4).astype(np.float16),
                )
            part.replace(path)
        for worse in kept[_BEST:]:
            self._path(photo, worse[1], worse[0]).unlink(missing_ok=True)
        del kept[_BEST:]

    def of(self, photo: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Depth and confidence (h, w) float32 of the photo by its best pairs."""
        found = []
        for support, other in self._kept[photo]:
            with np.load(self._path(photo, other, support)) as maps:
                depth, sure = maps["depth"], maps["confidence"]
                found.append((depth.astype(np.float32), sure.astype(np.float32)))
        return found
