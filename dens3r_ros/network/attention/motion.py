# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves, from how patches were looked at in many pairs of images (Easi3R)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-6
_BINS = 256
_CLASSES = (2, 3, 4)

Pair = tuple[int, int]


def motion_maps(
    of_a: Mapping[Pair, Tensor], of_b: Mapping[Pair, Tensor], count: int
) -> dict[str, Tensor]:
    """(N, rows, columns) of `count` images, from 0 (still) to 1 (moves), as `motion`.

    `of_a` and `of_b` are as in `WatchedPair`, (rows, columns, channels) by pair of images. What
    goes into the result is given too: means and deviations by the side from which was looked.
    """
    looked = {"b": _gathered(of_b, 1, count), "a": _gathered(of_a, 0, count)}
    found: dict[str, Tensor] = {}
    for side, maps in looked.items():
        found[f"mean_{side}_raw"] = torch.stack([one.mean(dim=0) for one in maps])
        found[f"deviation_{side}_raw"] = torch.stack([one.std(dim=0) for one in maps])
    for name in ("mean_b", "deviation_b", "mean_a", "deviation_a"):
        found[name] = _fused(found[f"{name}_raw"])
    motion = (1 - found["mean_b"]) * found["deviation_b"]
    motion = motion * found["mean_a"] * (1 - found["deviation_a"])
    return found | {"motion": _spread(motion)}


def smoothed_by_clusters(motion: Tensor, labels: Tensor) -> Tensor:
    """(N, rows, columns): every patch with the mean of the patches that look like it.

    `labels` (N, rows, columns) says which patches of all images look alike.
    """
    _, index = labels.unique(return_inverse=True)
    index = index.flatten()
    sums = torch.zeros(int(index.max()) + 1, dtype=motion.dtype).index_add(
        0, index, motion.flatten()
    )
    counts = torch.bincount(index).to(motion.dtype)
    return _spread((sums / counts)[index].view_as(motion))


def masks_of(motion: Tensor, size: tuple[int, int]) -> tuple[Tensor, float]:
    """(N, H, W) bool masks of what moves in images of that size, and the threshold."""
    maps = F.interpolate(motion[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    threshold = motion_threshold(maps.numpy().ravel())
    return maps > threshold, threshold


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


def _gathered(maps: Mapping[Pair, Tensor], place: int, count: int) -> list[Tensor]:
    """All maps of each image, mended: the first patch is an outlier of attention everywhere."""
    found: list[list[Tensor]] = [[] for _ in range(count)]
    for pair, one in maps.items():
        mended = one.clone()
        mended[0, 0] = (one[0, 1] + one[1, 0]) / 2
        found[pair[place]].append(mended)
    return [torch.stack(one) for one in found]


def _fused(maps: Tensor) -> Tensor:
    """(N, rows, columns) of (N, rows, columns, channels), over all images from 0 to 1."""
    return _to_unit(_to_unit(maps).mean(dim=-1))


def _to_unit(maps: Tensor) -> Tensor:
    return (maps - maps.min()) / (maps.max() - maps.min() + _TINY)


def _spread(maps: Tensor) -> Tensor:
    """Every image by itself from 0 to 1."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / (high - low + _TINY)


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
