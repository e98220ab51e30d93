# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves, from how patches were looked at in many pairs of images (Easi3R)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-6
_BINS = 256
_CLASSES = (2, 3, 4)

Pair = tuple[int, int]


class LookedAt:
    """How each image of a set was looked at, gathered pair by pair.

    Images whose pairs are all there may be settled, which keeps their means over the channels
    alone: 12 kB at 512x384 instead of 1.8 MB.
    """

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, RunningMean]] = {"a": {}, "b": {}}
        self._settled: dict[int, dict[str, Levels]] = {}

    def add(self, pair: Pair, of_a: Tensor, of_b: Tensor) -> None:
        """What one pair tells: maps (rows, columns, channels) as in `WatchedPair`."""
        for side, image, one in (("a", pair[0], of_a), ("b", pair[1], of_b)):
            self.sides[side].setdefault(image, RunningMean()).add(_mended(one))

    def settle(self, image: int) -> None:
        """No more pairs of this image will come."""
        found: dict[str, Levels] = {}
        for side, maps in self.sides.items():
            one = maps.pop(image)
            found[f"mean_{side}"] = Levels.of(one.mean)
            found[f"deviation_{side}"] = Levels.of(one.deviation)
        self._settled[image] = found

    def parts(self) -> dict[str, list[Tensor]]:
        """Means and deviations by the side from which was looked, each from 0 to 1 over all
        settled images, in their order: (rows, columns) each."""
        names = ("mean_b", "deviation_b", "mean_a", "deviation_a")
        images = [self._settled[image] for image in sorted(self._settled)]
        return {name: _fused([image[name] for image in images]) for name in names}

    def motion(self) -> list[Tensor]:
        """(rows, columns) of each settled image, from 0 (still) to 1 (moves)."""
        return [_moving(*one) for one in zip(*self.parts().values(), strict=True)]


class RunningMean:
    """Mean and deviation of maps that come one by one."""

    def __init__(self) -> None:
        self._count = 0
        self.mean = torch.zeros(())
        self._spread = torch.zeros(())

    def add(self, one: Tensor) -> None:
        """One more map."""
        self._count += 1
        if self._count == 1:
            self.mean, self._spread = one, torch.zeros_like(one)
            return
        offset = one - self.mean
        self.mean = self.mean + offset / self._count
        self._spread = self._spread + offset * (one - self.mean)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of the samples, which two at least are needed for."""
        if self._count < 2:
            raise ValueError("an image needs two pairs at least to tell what moves in it")
        return (self._spread / (self._count - 1)).sqrt()


@dataclass(frozen=True, eq=False)
class Levels:
    """Mean over the channels (rows, columns) of a map, and the lowest and highest of its values."""

    mean: Tensor
    low: float
    high: float

    @classmethod
    def of(cls, maps: Tensor) -> Levels:
        """Of a map (rows, columns, channels)."""
        return cls(maps.mean(dim=-1).cpu(), float(maps.min()), float(maps.max()))


def motion_maps(
    of_a: Mapping[Pair, Tensor], of_b: Mapping[Pair, Tensor], count: int
) -> dict[str, Tensor]:
    """(N, rows, columns) of `count` images of one size, from 0 (still) to 1 (moves), as `motion`.

    `of_a` and `of_b` are as in `WatchedPair`, (rows, columns, channels) by pair of images. What
    goes into the result is given too: means and deviations by the side from which was looked.
    """
    looked = LookedAt()
    for pair, one in of_a.items():
        looked.add(pair, one, of_b[pair])
    found: dict[str, Tensor] = {}
    for side, maps in looked.sides.items():
        ordered = [maps[image] for image in range(count)]
        found[f"mean_{side}_raw"] = torch.stack([one.mean for one in ordered])
        found[f"deviation_{side}_raw"] = torch.stack([one.deviation for one in ordered])
    for image in range(count):
        looked.settle(image)
    found |= {name: torch.stack(maps) for name, maps in looked.parts().items()}
    return found | {"motion": torch.stack(looked.motion())}


def smoothed_by_clusters(motion: Tensor, labels: Tensor) -> Tensor:
    """(N, rows, columns): every patch with the mean of the patches that look like it.

    `labels` (N, rows, columns) says which patches of all images look alike.
    """
    return torch.stack(smoothed(list(motion), list(labels)))


def smoothed(motion: Sequence[Tensor], labels: Sequence[Tensor]) -> list[Tensor]:
    """The same of images (rows, columns) of any sizes."""
    _, index = torch.cat([one.flatten() for one in labels]).unique(return_inverse=True)
    values = torch.cat([one.flatten() for one in motion])
    sums = torch.zeros(int(index.max()) + 1, dtype=values.dtype).index_add(0, index, values)
    means = (sums / torch.bincount(index).to(values.dtype))[index]
    parts = means.split([one.numel() for one in motion])
    return [_spread(part.view_as(one)) for part, one in zip(parts, motion, strict=True)]


def masks_of(motion: Tensor, size: tuple[int, int]) -> tuple[Tensor, float]:
    """(N, H, W) bool masks of what moves in images of that size, and the threshold."""
    maps = torch.stack([enlarged(one, size) for one in motion])
    threshold = motion_threshold(maps.numpy().ravel())
    return maps > threshold, threshold


def enlarged(one: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W) of a map (rows, columns)."""
    whole = F.interpolate(one[None, None], size, mode="bilinear", align_corners=False)
    return whole[0, 0]


def patch_masks(masks: Tensor, patch: int) -> Tensor:
    """(N, rows * columns) bool: patches any of whose pixels move, of masks (N, H, W)."""
    return F.max_pool2d(masks.float()[:, None], patch).flatten(1) > 0.5


def motion_threshold(values: np.ndarray) -> float:
    """Above it is what moves: the last threshold of the split into two to four whose means differ.

    Splits are Otsu's; more classes must differ by more.
    """
    best = (-np.inf, 0.0)
    for classes in _CLASSES:
        thresholds = _otsu(values, classes)
        limits = [-np.inf, *thresholds, np.inf]
        means = [
            values[(values >= low) & (values < high)].mean()
            for low, high in itertools.pairwise(limits)
        ]
        merit = float(np.var(means)) / classes**0.5
        if merit > best[0]:
            best = (merit, thresholds[-1])
    return best[1]


def _mended(one: Tensor) -> Tensor:
    """The first patch is an outlier of attention everywhere."""
    mended = one.clone()
    mended[0, 0] = (one[0, 1] + one[1, 0]) / 2
    return mended


def _fused(images: Sequence[Levels]) -> list[Tensor]:
    """(rows, columns) each, over all images from 0 to 1."""
    low, high = min(one.low for one in images), max(one.high for one in images)
    means = [(one.mean - low) / (high - low + _TINY) for one in images]
    low, high = min(float(one.min()) for one in means), max(float(one.max()) for one in means)
    return [(one - low) / (high - low + _TINY) for one in means]


def _moving(mean_b: Tensor, deviation_b: Tensor, mean_a: Tensor, deviation_a: Tensor) -> Tensor:
    return _spread((1 - mean_b) * deviation_b * mean_a * (1 - deviation_a))


def _spread(one: Tensor) -> Tensor:
    """From 0 to 1."""
    return (one - one.min()) / (one.max() - one.min() + _TINY)


def _otsu(values: np.ndarray, classes: int) -> Sequence[float]:
    """Thresholds between classes whose variance between each other is largest."""
    counts, edges = np.histogram(values, _BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    share = np.concatenate(([0.0], np.cumsum(counts / counts.sum())))
    moment = np.concatenate(([0.0], np.cumsum(counts / counts.sum() * centres)))
    mass = share[None] - share[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of the bins from i up to before j.
        merit = np.where(mass > 0, (moment[None] - moment[:, None]) ** 2 / mass, 0.0)
    merit[np.tril_indices(_BINS + 1)] = -np.inf
    best, chosen = merit[0], []
    for _ in range(classes - 1):
        through = best[:, None] + merit
        chosen.append(through.argmax(axis=0))
        best = through.max(axis=0)
    end, last_bins = _BINS, []
    for split in reversed(chosen):
        end = int(split[end])
        last_bins.append(end - 1)
    return [float(centres[index]) for index in reversed(last_bins)]
