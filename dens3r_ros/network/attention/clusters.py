# SPDX-License-Identifier: Apache-2.0
"""Which patches of many images look alike, by k-means on what an encoder makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.cluster.vq import kmeans2, vq
from torch import Tensor

CLUSTERS = 64
_SEED = 42
_LEARNED_FROM = 16384
"""Patches that the clusters are found from, evenly of all images; all are then sorted into them."""


def look_alike(tokens: Sequence[Tensor], clusters: int = CLUSTERS) -> list[Tensor]:
    """(rows, columns) int64 of each image: numbers of clusters, of tokens (rows, columns, width)
    of any precision."""
    flat = [one.flatten(0, 1) for one in tokens]
    total = sum(len(one) for one in flat)
    step = max(1, total // _LEARNED_FROM)
    some = np.concatenate([_array(one[:: min(step, len(one))]) for one in flat])
    centres, _ = kmeans2(some, min(clusters, len(some)), minit="++", seed=_SEED, missing="warn")
    return [
        torch.from_numpy(vq(_array(one), centres)[0].astype(np.int64)).view(image.shape[:2])
        for one, image in zip(flat, tokens, strict=True)
    ]


def _array(tokens: Tensor) -> np.ndarray:
    return tokens.float().numpy()
