# SPDX-License-Identifier: Apache-2.0
"""If these fail, networks are trained towards something else than the documented recipe.

Every expected number is worked out by hand in the comment beside it.
"""

import math

import pytest
import torch

from dens3r_ros.training.config import Matching
from dens3r_ros.training.losses.matching_loss import (
    TrueMatches,
    info_nce,
    match_precision,
    matching_loss,
)
from dens3r_ros.training.losses.normal_losses import (
    crossed_normals,
    normals_loss,
    pointmap_normals_loss,
    smooth_surface,
)
from dens3r_ros.training.losses.pointmap_losses import (
    Masks,
    Pointmaps,
    canonical,
    focal_error,
    intrinsic_invariant_errors,
    mean_distance,
    metric_errors,
    ray_focal,
    scale_invariant_errors,
    weighed_by_confidence,
)


def row(*points):
    """A pointmap one pixel high."""
    return torch.tensor([[points]], dtype=torch.float32)


def everywhere(points):
    return torch.ones(points.shape[:3], dtype=torch.bool)


def pair(a, b):
    return Pointmaps(a, b), Masks(everywhere(a), everywhere(b))


def rays(width, height, focal, depth):
    """The pointmap of a camera looking straight at a wall, or at (height, width) depths."""
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    u, v = u - (width - 1) / 2, v - (height - 1) / 2
    depth = torch.as_tensor(depth, dtype=torch.float32).expand(height, width)
    return torch.stack((u / focal * depth, v / focal * depth, depth), -1)[None]


def test_mean_distance_is_over_the_valid_points_of_both_views():
    points, valid = pair(row((0, 0, 2), (3, 0, 4)), row((0, 0, 9), (0, 6, 8)))
    valid.b[0, 0, 0] = False
    # (2 + 5 + 10) / 3
    assert mean_distance(points, valid).item() == pytest.approx(17 / 3)


def test_scale_invariant_errors():
    true, valid = pair(row((0, 0, 2), (0, 0, 4)), row((0, 0, 6), (0, 0, 8)))
    predicted = Pointmaps(row((0, 0, 1), (0, 0, 2)), row((0, 0, 3), (0, 4, 0)))
    # true mean 5, predicted mean 2.5: 2/5 against 1/2.5 agree, (0, 0, 1.6) and (0, 1.6, 0) do not
    a, b = scale_invariant_errors(predicted, true, valid)
    assert a.flatten().tolist() == pytest.approx([0, 0], abs=1e-6)
    assert b.flatten().tolist() == pytest.approx([0, 1.6 * math.sqrt(2)], abs=1e-6)


def test_metric_errors_know_the_scale():
    true, valid = pair(row((0, 0, 4)), row((0, 0, 6)))
    a, b = metric_errors(Pointmaps(row((0, 0, 2)), row((0, 0, 6))), true, valid)
    # |2 - 4| / 5 and 0
    assert (a.item(), b.item()) == pytest.approx((0.4, 0))


def test_confidence_weighs_and_costs():
    errors, confidence = torch.tensor([[[0.5, 2.0, 7.0]]]), torch.tensor([[[1.0, 3.0, 5.0]]])
    mask = torch.tensor([[[True, True, False]]])
    # (1 * 0.5 - 0.2 log 1 + 3 * 2 - 0.2 log 3) / 2
    expected = (6.5 - 0.2 * math.log(3)) / 2
    assert weighed_by_confidence(errors, confidence, mask, 0.2).item() == pytest.approx(expected)


def test_an_empty_mask_gives_zero_and_no_gradient():
    errors = torch.ones(1, 1, 2, requires_grad=True)
    nothing = torch.zeros(1, 1, 2, dtype=torch.bool)
    loss = weighed_by_confidence(errors, torch.ones(1, 1, 2), nothing, 0.2)
    loss.backward()
    assert loss.item() == 0 and errors.grad.abs().sum() == 0


def test_the_focal_length_of_a_pinhole_is_found_on_any_depth():
    depth = torch.rand(6, 8, generator=torch.Generator().manual_seed(0)) + 1
    points = rays(8, 6, 11.0, depth)
    assert ray_focal(points, everywhere(points)).item() == pytest.approx(11.0, rel=1e-5)


def test_the_focal_length_by_hand():
    # u = -0.5, 0.5; directions (-0.6, 0, 0.8) and (0.8, 0, 0.6)
    points = row((-3, 0, 4), (4, 0, 3))
    # (0.5 * 0.6 * 0.8 + 0.5 * 0.8 * 0.6) / (0.36 + 0.64)
    assert ray_focal(points, everywhere(points)).item() == pytest.approx(0.48)


def test_canonical_points_project_onto_the_same_pixels():
    points = rays(8, 6, 10.0, 2.0)
    moved = canonical(Pointmaps(points, points + 1), torch.tensor([10.0]), 5.0)
    # depth 2 becomes 2 * 5 / 10 = 1, sideways nothing moves; b is stretched alike: (2 + 1) / 2
    assert torch.allclose(moved.a, rays(8, 6, 5.0, 1.0))
    # the corner: (-3.5 / 10 * 2 + 1, -2.5 / 10 * 2 + 1, 3 / 2)
    assert moved.b[0, 0, 0].tolist() == pytest.approx([0.3, 0.5, 1.5])


def test_intrinsic_invariance_forgives_the_focal_length_and_nothing_else():
    depth = torch.tensor([[2.0, 2.0, 2.0, 2.0], [3.0, 3.0, 3.0, 3.0]])
    true, valid = pair(rays(4, 2, 4.0, depth), rays(4, 2, 4.0, depth))
    # the same image seen with twice the focal length: everything twice as far, as wide
    other = Pointmaps(rays(4, 2, 8.0, 2 * depth), rays(4, 2, 8.0, 2 * depth))
    focal = torch.tensor([4.0])
    forgiven = intrinsic_invariant_errors(other, true, valid, focal, 4.0)
    assert max(errors.max().item() for errors in forgiven) < 1e-6
    assert scale_invariant_errors(other, true, valid)[0].max() > 0.05
    assert focal_error(other, valid, focal).item() == pytest.approx(math.log(2), rel=1e-5)
    flat = Pointmaps(rays(4, 2, 4.0, 2.0), rays(4, 2, 4.0, 2.0))
    assert intrinsic_invariant_errors(flat, true, valid, focal, 4.0)[0].max() > 0.05


def test_intrinsic_invariant_errors_by_hand():
    # u = -0.5, 0.5. Truth: f = 1, (-1, 0, 2), (1, 0, 2): on its rays. Reference 2 doubles depth:
    # (-1, 0, 4), (1, 0, 4), of distance sqrt 17, for both views.
    true, valid = pair(row((-1, 0, 2), (1, 0, 2)), row((-1, 0, 2), (1, 0, 2)))
    # Prediction: a the same; b three times as deep: (-1, 0, 6) becomes (-1, 0, 12), sqrt 145.
    predicted = Pointmaps(row((-1, 0, 2), (1, 0, 2)), row((-1, 0, 6), (1, 0, 6)))
    a, b = intrinsic_invariant_errors(predicted, true, valid, torch.tensor([1.0]), 2.0)
    scale, own = math.sqrt(17), (math.sqrt(17) + math.sqrt(145)) / 2
    expected_a = math.hypot(1 / own - 1 / scale, 4 / own - 4 / scale)
    expected_b = math.hypot(1 / own - 1 / scale, 12 / own - 4 / scale)
    assert a.flatten().tolist() == pytest.approx([expected_a] * 2, rel=1e-5)
    assert b.flatten().tolist() == pytest.approx([expected_b] * 2, rel=1e-5)


def test_a_wall_seen_from_the_front_faces_the_camera():
    normals = crossed_normals(rays(5, 4, 10.0, 2.0))
    assert normals.shape == (1, 2, 3, 3)
    assert torch.allclose(normals, torch.tensor([0.0, 0.0, -1.0]).expand_as(normals), atol=1e-6)


def test_pointmap_normals_loss_of_a_slope():
    v, u = torch.meshgrid(torch.arange(3.0), torch.arange(3.0), indexing="ij")
    flat = torch.stack((u, v, torch.zeros_like(u)), -1)[None]
    slope = torch.stack((u, v, u * math.tan(math.pi / 3)), -1)[None]
    smooth = torch.ones(1, 1, 1, dtype=torch.bool)
    # a slope of 60 degrees: 1 - cos 60
    assert pointmap_normals_loss(slope, flat, smooth).item() == pytest.approx(0.5, abs=1e-6)


def test_normals_across_a_depth_edge_are_left_out():
    depth = torch.full((5, 6), 2.0)
    depth[:, 3:] = 8.0
    points = rays(6, 5, 10.0, depth)
    normals = torch.tensor([0.0, 0.0, -1.0]).expand_as(points)
    smooth = smooth_surface(points, normals, everywhere(points))
    # columns 1..4 remain of 0..5, and the jump lies between 2 and 3
    assert smooth[0].all(0).tolist() == [True, False, False, True]
    hidden = everywhere(points)
    hidden[0, 0, 1] = False
    assert not smooth_surface(points, normals, hidden)[0, 0, 0]


def test_normals_loss_by_hand():
    true = torch.tensor([[[[0.0, 0.0, -1.0]] * 3]])
    predicted = torch.tensor([[[[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    mask = torch.tensor([[[True, True, False]]])
    # (1 - 1 + 1 - 0) / 2
    assert normals_loss(predicted, true, mask).item() == pytest.approx(0.5)


def two_matches():
    places = torch.tensor([[[0.0, 0.0], [3.0, 0.0]]])
    return TrueMatches(places, places, torch.ones(1, 2, dtype=torch.bool))


def test_info_nce_by_hand():
    a = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    b = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]])
    # similarities [[1, 0.6], [0, 0.8]], temperature 0.5: doubled
    each = info_nce(a, b, two_matches(), temperature=0.5, exclusion=1.0)
    first = (math.log(math.e**2 + math.e**1.2) - 2 + math.log(math.e**2 + 1) - 2) / 2
    second = (math.log(1 + math.e**1.6) - 1.6 + math.log(math.e**1.2 + math.e**1.6) - 1.6) / 2
    assert each[0].tolist() == pytest.approx([first, second], rel=1e-5)


def test_neighbours_are_no_rivals():
    a = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    each = info_nce(a, a, two_matches(), temperature=0.5, exclusion=3.5)
    assert each[0].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_matches_that_are_none_count_for_nothing():
    maps = torch.nn.functional.normalize(
        torch.randn(1, 2, 4, 8, generator=torch.Generator().manual_seed(1)), dim=-1
    )
    places = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [2.0, 1.0]]])
    some = TrueMatches(places, places, torch.tensor([[True, True, False]]))
    alone = TrueMatches(places[:, :2], places[:, :2], torch.ones(1, 2, dtype=torch.bool))
    settings = Matching(temperature=0.5, exclusion=1.0)
    assert matching_loss((maps, maps), some, settings).item() == pytest.approx(
        matching_loss((maps, maps), alone, settings).item(), rel=1e-5
    )


def test_confidence_weighs_matches():
    a = torch.tensor([[[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]]])
    q_a, q_b = torch.full((1, 1, 4), 2.0), torch.full((1, 1, 4), 8.0)
    settings = Matching(temperature=0.5, exclusion=1.0)
    # both matches: similarities [[1, 0], [0, 1]] / 0.5; q = sqrt(2 * 8) = 4
    plain = math.log(math.e**2 + 1) - 2
    loss = matching_loss((a, a), two_matches(), settings, (q_a, q_b), 0.2)
    assert loss.item() == pytest.approx(4 * plain - 0.2 * math.log(4), rel=1e-5)


def test_precision_counts_best_matches_within_reach():
    maps = torch.nn.functional.normalize(
        torch.randn(1, 4, 6, 16, generator=torch.Generator().manual_seed(2)), dim=-1
    )
    places = torch.tensor([[[0.0, 0.0], [5.0, 3.0], [2.0, 1.0], [1.0, 1.0]]])
    moved = places + torch.tensor([[[0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [0.0, 0.0]]])
    valid = torch.tensor([[True, True, True, False]])
    share = match_precision(maps, maps, TrueMatches(moved, places, valid), 2.0)
    assert share.item() == pytest.approx(2 / 3)


def test_losses_reach_zero_only_at_the_truth_and_have_gradients():
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(2, 6, 8, 3, generator=generator) + torch.tensor([0.0, 0.0, 1.0])
    true, valid = pair(points, points * 2)
    raw = torch.rand(2, 6, 8, 3, generator=generator).requires_grad_()
    a, _ = scale_invariant_errors(Pointmaps(raw, raw), true, valid)
    a.mean().backward()
    assert raw.grad.isfinite().all() and raw.grad.abs().sum() > 0
    assert scale_invariant_errors(true, true, valid)[0].max() == 0
