# SPDX-License-Identifier: Apache-2.0
"""If these fail, dense heads mistake where in the image the cells of a map lie."""

from __future__ import annotations

import math

import pytest
import torch

from dens3r_ros.network.parts.uv import position_embedding, uv_grid

CPU = torch.device("cpu")


def test_cells_lie_on_a_rectangle_of_half_diagonal_one() -> None:
    grid = uv_grid((2, 4), 1.5, CPU)
    assert grid.shape == (2, 4, 2)
    reach_u, reach_v = 1.5 / math.sqrt(1 + 1.5**2), 1 / math.sqrt(1 + 1.5**2)
    assert grid[0, 0].tolist() == pytest.approx([-reach_u * 3 / 4, -reach_v / 2])
    assert grid[1, 3].tolist() == pytest.approx([reach_u * 3 / 4, reach_v / 2])
    assert grid[0, 1, 0].item() == pytest.approx(-reach_u / 4)


def test_embedding_is_of_u_then_of_v() -> None:
    embedding = position_embedding((2, 4), 1.5, 8, CPU)
    assert embedding.shape == (1, 8, 2, 4)
    u, v = uv_grid((2, 4), 1.5, CPU)[1, 2].tolist()
    expected = [math.sin(u), math.sin(u / 10), math.cos(u), math.cos(u / 10)]
    expected += [math.sin(v), math.sin(v / 10), math.cos(v), math.cos(v / 10)]
    assert embedding[0, :, 1, 2].tolist() == pytest.approx(expected, abs=1e-6)
