# SPDX-License-Identifier: Apache-2.0
"""If these fail, a stream of any length ends for lack of memory, or forgets what it needs."""

from __future__ import annotations

import pytest
import torch

from dens3r_ros.network.descendants.spatial_memory import (
    MemoryConfig,
    MemoryNorms,
    SpatialMemory,
)

WIDTH, PATCHES = 16, 6


def memory(**settings: float) -> SpatialMemory:
    return SpatialMemory(MemoryNorms(WIDTH).requires_grad_(False), MemoryConfig(**settings))


def frame(seed: int) -> torch.Tensor:
    return torch.randn(PATCHES, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_size_is_bounded_however_long_the_stream() -> None:
    kept = memory(long_tokens=40, work_frames=2)
    sizes = []
    for seed in range(60):
        kept.insert(frame(seed), frame(1000 + seed))
        kept.read(frame(seed + 1))
        sizes.append(len(kept))
    assert max(sizes[20:]) <= 40 + (2 + 1) * PATCHES
    assert len(kept.values) == len(kept.attention) == len(kept.age) == len(kept)


def test_without_long_term_the_newest_frames_are_kept_in_order() -> None:
    kept = memory(long_tokens=0, work_frames=3)
    for seed in range(10):
        kept.insert(frame(seed), frame(seed))
    assert torch.equal(kept.keys, torch.cat([frame(seed) for seed in (7, 8, 9)]))


def test_a_frame_like_a_fresh_one_is_not_stored() -> None:
    kept = memory()
    assert kept.insert(frame(0), frame(0)) and kept.insert(frame(1), frame(1))
    assert not kept.insert(1.5 * frame(0), frame(0)) and len(kept) == 2 * PATCHES


def test_what_is_looked_at_survives_pruning() -> None:
    kept = memory(long_tokens=60, work_frames=1, most_similar=2.0)
    wanted = 4.0 * torch.eye(WIDTH)[:PATCHES]
    kept.insert(wanted, frame(0))
    for seed in range(1, 30):
        kept.read(10.0 * wanted)
        kept.insert(frame(seed), frame(seed))
    stored = torch.cdist(wanted, kept.keys).min(dim=1).values
    assert (stored == 0).all()


def test_nothing_remembered_is_said() -> None:
    with pytest.raises(ValueError, match="nothing was remembered"):
        memory().read(frame(0))
