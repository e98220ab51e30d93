# SPDX-License-Identifier: Apache-2.0
"""If these fail, what stands still is taken for moving, or the other way round."""

import pytest
import torch

from dens3r_ros.geometry.ego_flow import (
    PosedView,
    consistent_flow,
    ego_flow,
    flow_error,
    moving_masks,
)

K = torch.tensor([[80.0, 0, 32], [0, 80, 24], [0, 0, 1]], dtype=torch.float64)


@pytest.fixture
def views():
    """A wall three units away, seen before and after a step of 0.3 to the right."""
    depth = torch.full((48, 64), 3.0, dtype=torch.float64)
    aside = torch.eye(4, dtype=torch.float64)
    aside[0, 3] = 0.3
    return PosedView(K, torch.eye(4, dtype=torch.float64), depth), PosedView(K, aside, depth)


def test_a_step_aside_moves_the_wall_by_its_disparity(views):
    flow = ego_flow(*views)
    assert torch.allclose(flow[0], torch.full_like(flow[0], -80 * 0.3 / 3), atol=1e-3)
    assert torch.allclose(flow[1], torch.zeros_like(flow[1]), atol=1e-3)


def test_what_does_not_follow_the_camera_moves(views):
    expected = ego_flow(*views)
    seen = expected.clone()
    seen[:, 10:20, 30:40] += 6.0
    seen += 0.01 * torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))
    masks = moving_masks({4: [flow_error(expected, seen)] * 2})
    assert masks[4][10:20, 30:40].all() and masks[4].sum() == 100


def test_flow_that_does_not_lead_back_is_doubted(views):
    forth, back = ego_flow(*views), ego_flow(*reversed(views))
    agrees = consistent_flow(forth, back)
    assert agrees[:, 8:].all() and not agrees[:, :8].any(), "it leaves the image on the left"
    back[:, :, :20] += 5.0
    assert not consistent_flow(forth, back)[:, 8:20].any()
