# SPDX-License-Identifier: Apache-2.0
"""Random numbers that depend on a seed and a counter only.

Every sample has a stream of its own, computed for the whole batch at once by hashing, so that
sample i of seed s is the same whatever the batch, the order or the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right: torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """Scramble int64 values (the finaliser of SplitMix64)."""
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


class RandomStream:
    """One stream of random numbers per seed; all results lead with the batch dimension."""

    def __init__(self, seeds: Tensor, tag: int = 0) -> None:
        """`seeds` is (B,) int64; streams of the same seed and different tags are independent."""
        own = mix(seeds.to(torch.int64) * _GOLDEN + 1)
        self._state = mix(own + torch.full_like(own, tag) * _GOLDEN)
        self._used = 0

    def __len__(self) -> int:
        return self._state.shape[0]

    def __getitem__(self, index: Tensor) -> RandomStream:
        """The streams that `index` names, continued where they stand."""
        part = RandomStream.__new__(RandomStream)
        part._state, part._used = self._state[index], self._used
        return part

    @property
    def device(self) -> torch.device:
        """Where the numbers are made."""
        return self._state.device

    def bits(self, *shape: int) -> Tensor:
        """(B, *shape) int64 with all 64 bits random."""
        count = int(torch.Size(shape).numel())
        index = torch.arange(self._used + 1, self._used + count + 1, device=self.device)
        self._used += count
        return mix(self._state[:, None] + index * _GOLDEN).reshape(len(self), *shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(B, *shape) float32 in [low, high)."""
        unit = _shifted(self.bits(*shape), 40).to(torch.float32) * 2.0**-24
        return unit * (high - low) + low

    def log_uniform(self, *shape: int, low: float, high: float) -> Tensor:
        """(B, *shape) float32, uniform in the logarithm."""
        return low * (high / low) ** self.uniform(*shape)

    def below(self, limit: int, *shape: int) -> Tensor:
        """(B, *shape) int64 in 0 .. limit - 1."""
        return _shifted(self.bits(*shape), 33) % limit

    def chance(self, probability: float, *shape: int) -> Tensor:
        """(B, *shape) bool, true with the given probability."""
        return self.uniform(*shape) < probability

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) float32 of mean 0 and deviation 1: a sum of four uniforms."""
        return (self.uniform(4, *shape).sum(1) - 2.0) * 3.0**0.5
