# SPDX-License-Identifier: Apache-2.0
"""Pairs of frames whose truth is known, from sequences and from procedural scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes import PairBatch, sample_pairs
from dens3r_ros.sources import Source, SourceError, Truth

_RENDERED_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class TruePair:
    """Two frames, their intrinsics always known, and what is true of each."""

    a: Frame
    b: Frame
    truth_a: Truth
    truth_b: Truth

    @property
    def cameras(self) -> tuple[Intrinsics, Intrinsics]:
        """The true intrinsics of a and b."""
        if self.a.intrinsics is None or self.b.intrinsics is None:
            raise ValueError("a pair to evaluate on needs the intrinsics of both frames")
        return self.a.intrinsics, self.b.intrinsics


class PairSet(Protocol):
    """Pairs in a fixed order, made as they are asked for."""

    name: str

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[TruePair]: ...


class SequencePairs:
    """Pairs of a sequence's frames `gap` apart, from every `every`-th frame on."""

    def __init__(self, source: Source, gap: int, every: int = 1) -> None:
        self.name = f"{source.name}, {gap} apart"
        self._source = source
        self._gap = gap
        self._first = range(0, len(source) - gap, every)
        if not len(self._first):
            raise SourceError(f"{source.name} has {len(source)} frames: none are {gap} apart.")
        if source[0].intrinsics is None or source.truth(0) is None:
            raise SourceError(
                f"{source.name} cannot be evaluated on: it takes depth, poses and a camera.yaml, "
                "as in the TUM RGB-D layout."
            )

    def __len__(self) -> int:
        return len(self._first)

    def __iter__(self) -> Iterator[TruePair]:
        for index in self._first:
            truth_a, truth_b = (self._source.truth(i) for i in (index, index + self._gap))
            if truth_a is not None and truth_b is not None:
                a, b = self._source[index], self._source[index + self._gap]
                yield TruePair(a, b, truth_a, truth_b)


class ProceduralPairs:
    """One rendered pair a seed, from `seeds.start` to before `seeds.stop`, where its views have an
    `overlap` from low to high, the mean of the shares of their surface that the other one sees."""

    def __init__(
        self, seeds: range, size: tuple[int, int], overlap: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self.name = f"procedural pairs {seeds.start}:{seeds.stop}"
        if overlap != (0.0, 1.0):
            self.name += f", overlap {overlap[0]:g} to {overlap[1]:g}"
        self._seeds = seeds
        self._size = size
        self._overlap = overlap

    def __len__(self) -> int:
        """Of the seeds; pairs of another overlap are left out as they are met."""
        return len(self._seeds)

    def __iter__(self) -> Iterator[TruePair]:
        for start in range(0, len(self._seeds), _RENDERED_AT_ONCE):
            batch = sample_pairs(self._seeds[start : start + _RENDERED_AT_ONCE], *self._size)
            low, high = self._overlap
            fit = (batch.overlap >= low) & (batch.overlap <= high)
            for index in fit.nonzero().flatten().tolist():
                yield _rendered_pair(batch, index)


def _rendered_pair(batch: PairBatch, index: int) -> TruePair:
    (a, truth_a), (b, truth_b) = (_rendered_view(batch, index, view) for view in "ab")
    return TruePair(a, b, truth_a, truth_b)


def _rendered_view(batch: PairBatch, index: int, view: str) -> tuple[Frame, Truth]:
    image, depth, normals, valid, K, T_world = (
        getattr(batch, f"{name}_{view}")[index].cpu()
        for name in ("image", "depth", "normals", "valid", "K", "T_world")
    )
    pixels = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy()
    height, width = depth.shape
    (fx, _, cx), (_, fy, cy) = K.double().tolist()[:2]
    stamp = 2 * int(batch.seeds[index]) + "ab".index(view)
    known = torch.where(valid, depth, torch.nan).float().numpy()
    frame = Frame(pixels, stamp, intrinsics=Intrinsics(fx, fy, cx, cy, width, height))
    return frame, Truth(known, T_world.double().numpy(), normals.float().numpy())
