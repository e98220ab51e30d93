# SPDX-License-Identifier: Apache-2.0
"""If these fail, the network mistakes where in the image a patch lies."""

from __future__ import annotations

import math

import pytest
import torch

from dens3r_ros.network.parts.rope import RotaryEmbedding, rotate, token_tables

CPU = torch.device("cpu")


def scores(rope: RotaryEmbedding, grid: tuple[int, int]) -> torch.Tensor:
    """Attention score of every patch to every patch, were all queries and all keys equal."""
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, rope.head_dim, generator=generator)
    tables = rope(grid, CPU)
    count = grid[0] * grid[1]
    q, k = (rotate(v.expand(1, count, 1, 1, -1), tables).flatten(1, 3)[0] for v in (query, key))
    return (q @ k.T).reshape(*grid, *grid)


def test_scores_depend_on_displacement_only() -> None:
    table = scores(RotaryEmbedding(16, 100.0, None), (4, 6))
    torch.testing.assert_close(table[0, 0, 2, 3], table[1, 2, 3, 5])
    torch.testing.assert_close(table[3, 1, 1, 4], table[2, 2, 0, 5])
    assert not torch.isclose(table[0, 0, 2, 3], table[0, 0, 3, 2])


def test_angles_by_hand() -> None:
    cosine, sine = RotaryEmbedding(8, 100.0, None)((3, 5), CPU)
    patch = 2 * 5 + 4
    angles = [2.0, 0.2, 2.0, 0.2, 4.0, 0.4, 4.0, 0.4]
    signs = [-1, -1, 1, 1, -1, -1, 1, 1]
    expected = [sign * math.sin(angle) for sign, angle in zip(signs, angles, strict=True)]
    assert cosine[patch].flatten().tolist() == pytest.approx([math.cos(a) for a in angles])
    assert sine[patch].flatten().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("grid", "factor"), [((24, 32), 1.0), ((48, 64), 0.5), ((14, 10), 32 / 14)]
)
def test_interpolation_stretches_the_long_side_to_that_of_training(
    grid: tuple[int, int], factor: float
) -> None:
    cosine, _ = RotaryEmbedding(4, 100.0, 32)(grid, CPU)
    by_row = cosine.reshape(*grid, 4)
    rows = torch.arange(grid[0]) * factor
    columns = torch.arange(grid[1]) * factor
    torch.testing.assert_close(by_row[:, 0, 0], rows.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(by_row[0, :, 2], columns.cos(), atol=1e-5, rtol=0)


def test_special_tokens_stand_before_the_first_patch() -> None:
    cosine, sine = token_tables(8, 100.0, (2, 3), 2, CPU)
    assert cosine.shape == (2 + 2 * 3, 1, 1, 8)
    assert (cosine[:2] == 1).all() and (sine[:2] == 0).all()
    patch = 2 + 1 * 3 + 2
    angles = [2.0, 0.2, 2.0, 0.2, 3.0, 0.3, 3.0, 0.3]
    assert cosine[patch].flatten().tolist() == pytest.approx([math.cos(a) for a in angles])
