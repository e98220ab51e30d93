# SPDX-License-Identifier: Apache-2.0
"""Spann3R's memory of a stream: what was seen where, read by attention and kept small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NORM_EPSILON = 1e-5
_KEPT_FOR_AGE = 1e8


@dataclass(frozen=True)
class MemoryConfig:
    """How much is remembered.

    long_tokens      tokens kept when older frames are pruned; 0 keeps the newest frames alone
    work_frames      newest frames, which are never ranked
    least_attention  weights below it count as none
    most_similar     a frame whose keys are more like those of a recent one is not stored
    """

    long_tokens: int = 4000
    work_frames: int = 5
    least_attention: float = 5e-4
    most_similar: float = 0.95


class MemoryNorms(nn.Module):
    """The norms of queries, keys and values, which are the memory's only weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_q = nn.LayerNorm(width, _NORM_EPSILON)
        self.norm_k = nn.LayerNorm(width, _NORM_EPSILON)
        self.norm_v = nn.LayerNorm(width, _NORM_EPSILON)


class SpatialMemory:
    """Tokens of the frames of one stream, (M, C) keys and values.

    `attention` (M,) is how much each was looked at, `age` (M,) how many frames were stored since.
    """

    def __init__(self, norms: MemoryNorms, config: MemoryConfig | None = None) -> None:
        self.norms = norms
        self.config = config or MemoryConfig()
        self.keys: Tensor | None = None
        self.values = self.attention = self.age = torch.empty(0)
        self.work_frames = 0
        self.long_tokens = 0

    def __len__(self) -> int:
        return 0 if self.keys is None else len(self.keys)

    def read(self, query: Tensor) -> Tensor:
        """(N, C) what is remembered of the queries (N, C), added to them."""
        if self.keys is None:
            raise ValueError("nothing was remembered yet")
        keys = self.norms.norm_k(self.keys)
        scores = self.norms.norm_q(query) @ keys.T / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1)
        weights = weights.masked_fill(weights < self.config.least_attention, 0.0)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        self.attention = self.attention + weights.sum(dim=0)
        return weights @ self.norms.norm_v(self.values) + query

    def insert(self, key: Tensor, value: Tensor) -> bool:
        """Remember the keys and values (P, C) of a frame, unless one like it is fresh."""
        fresh = key.new_zeros(len(key))
        if self.keys is None:
            self.keys, self.values, self.attention, self.age = key, value, fresh, fresh
            self.work_frames = 1
            return True
        if self._likeness(key) > self.config.most_similar:
            return False
        self.keys = torch.cat((self.keys, key))
        self.values = torch.cat((self.values, value))
        self.attention = torch.cat((self.attention, fresh))
        self.age = torch.cat((self.age + 1, fresh))
        self.work_frames += 1
        if self.work_frames > self.config.work_frames:
            self.work_frames = self.config.work_frames
            self.long_tokens += len(key)
        if self.long_tokens > self.config.long_tokens:
            self._prune(len(key))
        return True

    def _likeness(self, key: Tensor) -> float:
        """Mean cosine between the keys of a frame and those of the recent one most like it.

        After pruning the last tokens stored are not the newest; the published memory looks at them
        all the same.
        """
        assert self.keys is not None
        recent = self.keys[-self.work_frames * len(key) :].unflatten(0, (-1, len(key)))
        return float(F.cosine_similarity(recent, key[None], dim=-1).mean(dim=-1).max())

    def _prune(self, of_frame: int) -> None:
        work = self.config.work_frames * of_frame
        if self.config.long_tokens == 0:
            self._keep(torch.arange(len(self) - work, len(self), device=self.age.device))
            self.long_tokens = 0
            return
        young = self.age < self.config.work_frames + 5
        worth = (self.attention / self.age).masked_fill(young, _KEPT_FOR_AGE)
        self._keep(worth.topk(self.config.long_tokens).indices)
        self.long_tokens = self.config.long_tokens - work

    def _keep(self, index: Tensor) -> None:
        assert self.keys is not None
        self.keys, self.values = self.keys[index], self.values[index]
        self.attention, self.age = self.attention[index], self.age[index]
