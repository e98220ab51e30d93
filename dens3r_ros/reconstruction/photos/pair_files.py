# SPDX-License-Identifier: Apache-2.0
"""What pairs of photos measured, on disk, so that no pair is compared twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dens3r_ros.reconstruction.sparse.measured import AnchorSightings, Depths, MeasuredPair

Pair = tuple[int, int]


class PairFiles:
    """A folder with one file for each pair that was compared, also where nothing came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, pair: Pair) -> Path:
        """Its file."""
        return self._folder / f"{pair[0]:06d}_{pair[1]:06d}.npz"

    def has(self, pair: Pair) -> bool:
        """Whether it was compared."""
        return self.path(pair).is_file()

    def put(self, pair: Pair, measured: Sequence[MeasuredPair]) -> None:
        """Keep what was found, which may be nothing."""
        arrays: dict[str, np.ndarray] = {}
        told = []
        for n, one in enumerate(map(compact, measured)):
            told.append((one.a, one.b, one.support, one.shifted))
            arrays[f"T{n}"] = one.T_a_b
            for name, depth in (("a", one.depth_a), ("b", one.depth_b)):
                arrays[f"ids_{name}{n}"] = depth.ids
                arrays[f"depth_{name}{n}"] = depth.values
            for m, seen in enumerate(one.seen):
                arrays[f"seen{n}_{m}"] = seen.ids
                arrays[f"there{n}_{m}"] = seen.there
        part = self.path(pair).with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, told=np.array(json.dumps(told)), **arrays)  # type: ignore[arg-type]
        part.replace(self.path(pair))

    def anew(self) -> PairFiles:
        """A folder for the same pairs with lenses that these told."""
        return PairFiles(self._folder / "anew")

    def support(self, pair: Pair) -> int:
        """Matches that agree with the first that was found; 0 where nothing was."""
        with np.load(self.path(pair)) as kept:
            told = json.loads(str(kept["told"]))
        return int(told[0][2]) if told else 0

    def get(self, pair: Pair) -> list[MeasuredPair]:
        """What was found."""
        with np.load(self.path(pair)) as kept:
            return [_read(kept, n, *told) for n, told in enumerate(json.loads(str(kept["told"])))]


def compact(measured: MeasuredPair) -> MeasuredPair:
    """The same in a third of the memory, of which thousands of pairs would take much."""

    def numbers(ids: np.ndarray) -> np.ndarray:
        return ids.astype(np.uint16 if ids.max(initial=0) < 2**16 else np.int32)

    a, b = (
        Depths(numbers(one.ids), one.values.astype(np.float32))
        for one in (measured.depth_a, measured.depth_b)
    )
    seen = tuple(
        replace(one, ids=numbers(one.ids), there=one.there.astype(np.float32))
        for one in measured.seen
    )
    return replace(measured, depth_a=a, depth_b=b, seen=seen)


def _read(
    kept: np.lib.npyio.NpzFile, n: int, a: int, b: int, support: int, far: bool
) -> MeasuredPair:
    depths = [Depths(kept[f"ids_{x}{n}"], kept[f"depth_{x}{n}"]) for x in "ab"]
    ends = (b, a), (a, b)
    seen = tuple(
        AnchorSightings(*end, kept[f"seen{n}_{m}"], kept[f"there{n}_{m}"])
        for m, end in enumerate(ends)
    )
    return MeasuredPair(a, b, kept[f"T{n}"], support, bool(far), depths[0], depths[1], seen)
