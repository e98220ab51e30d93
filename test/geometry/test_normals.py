# SPDX-License-Identifier: Apache-2.0
"""If these fail, surfaces are shaded, levelled and avoided by slopes that are not there."""

import pytest
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import pixel_rays

CAMERA = Intrinsics(225.0, 225.0, 134.5, 89.5, 270, 180)
RAYS = pixel_rays(CAMERA).double()


def degrees_off(normals, expected):
    return torch.rad2deg(torch.acos((normals.double() * expected).sum(-1).clamp(-1, 1)))


def plane(normal, offset=2.0):
    """Points and the unit normal of the plane n . p = -offset, and where the camera sees it."""
    normal = torch.nn.functional.normalize(torch.tensor(normal, dtype=torch.float64), dim=0)
    depth = -offset / (RAYS @ normal)
    return RAYS * depth[..., None], normal, (depth > 0) & (depth < 50)


def sphere(centre=(0.2, -0.1, 3.0), radius=0.9):
    centre = torch.tensor(centre, dtype=torch.float64)
    across, square = RAYS @ centre, RAYS.square().sum(-1)
    root = across.square() - square * (centre.square().sum() - radius**2)
    depth = (across - root.clamp_min(0).sqrt()) / square
    points = RAYS * depth[..., None]
    return points, (points - centre) / radius, root > 0


@pytest.mark.parametrize("radius", [1, 3])
@pytest.mark.parametrize(
    "normal",
    [(0, 0, -1), (0.4, 0.3, -1), (1, 0, -0.2), (0, -1, 0), (-1, 0.02, 0), (0.6, -0.8, -0.05)],
)
def test_planes_are_exact_however_steep(normal, radius):
    points, expected, seen = plane(normal)
    normals, valid = normals_from_points(points.float(), seen, radius=radius)
    assert normals.dtype == torch.float32
    assert float(degrees_off(normals, expected)[valid].max()) < 0.1
    assert valid.sum() > (0.97 if radius == 1 else 0.9) * seen.sum()


def test_sphere():
    points, expected, seen = sphere()
    normals, valid = normals_from_points(points.float(), seen)
    off = degrees_off(normals, expected)[valid]
    assert valid.sum() > 0.97 * seen.sum()
    assert float(off.max()) < 0.1


def test_rolling_slope():
    x, y = RAYS[..., 0], RAYS[..., 1]
    depth = 3 + 0.3 * torch.sin(4 * x) * torch.cos(5 * y)
    slope_x = 1.2 * torch.cos(4 * x) * torch.cos(5 * y)
    slope_y = -1.5 * torch.sin(4 * x) * torch.sin(5 * y)
    right = torch.stack([depth + x * slope_x, y * slope_x, slope_x], -1)
    down = torch.stack([x * slope_y, depth + y * slope_y, slope_y], -1)
    expected = torch.nn.functional.normalize(torch.linalg.cross(down, right), dim=-1)
    normals, valid = normals_from_points((RAYS * depth[..., None]).float())
    assert bool(valid.all())
    interior = degrees_off(normals, expected)[1:-1, 1:-1]
    assert float(interior.max()) < 1.0


def test_depth_edges_are_masked_and_both_sides_right():
    far, far_normal, _ = plane((0.3, 0, -1))
    near, near_normal, _ = plane((-0.2, 0.4, -1), 1.2)
    inside = torch.zeros(180, 270, dtype=torch.bool)
    inside[40:120, 60:200] = True
    expected = torch.where(inside[..., None], near_normal, far_normal)
    normals, valid = normals_from_points(torch.where(inside[..., None], near, far).float())
    assert float(degrees_off(normals, expected)[valid].max()) < 0.1
    beside = torch.nn.functional.max_pool2d(inside[None].float(), 3, 1, 1)[0] > 0
    within = torch.nn.functional.max_pool2d((~inside)[None].float(), 3, 1, 1)[0] > 0
    assert torch.equal(~valid, (beside & within) & ~_corners_outside(inside))


def _corners_outside(inside):
    """Pixels that touch the inside by a corner only, whose stencil misses it."""
    cross = torch.zeros(1, 1, 3, 3)
    cross[0, 0, 1, :] = cross[0, 0, :, 1] = 1
    reached = torch.nn.functional.conv2d(inside[None, None].float(), cross, padding=1)[0, 0] > 0
    around = torch.nn.functional.max_pool2d(inside[None].float(), 3, 1, 1)[0] > 0
    return around & ~reached


def test_holes_and_points_behind_take_their_neighbours_along():
    points, expected, _ = plane((0.1, 0.2, -1))
    points[50, 60] = torch.nan
    points[90, 100] = -points[90, 100]
    points[0, 30] = torch.inf
    seen = torch.ones(180, 270, dtype=torch.bool)
    seen[120, 140] = False
    normals, valid = normals_from_points(points.float(), seen)
    for row, column in [(50, 60), (90, 100), (120, 140)]:
        assert not valid[row, column - 1 : column + 2].any()
        assert not valid[row - 1 : row + 2, column].any()
    assert int((~valid).sum()) <= 3 * 5 + 8
    assert bool(normals.isfinite().all()) and bool((normals[~valid] == 0).all())
    assert float(degrees_off(normals, expected)[valid].max()) < 0.1


def test_larger_radius_quietens_noise():
    points, expected, _ = plane((0.3, 0.2, -1))
    generator = torch.Generator().manual_seed(0)
    noisy = points * (1 + 0.002 * torch.randn(180, 270, 1, generator=generator))
    medians = []
    for radius in (1, 4):
        normals, valid = normals_from_points(noisy.float(), radius=radius)
        medians.append(float(degrees_off(normals, expected)[valid].median()))
    assert medians[1] < 0.15 * medians[0] and medians[1] < 4


def test_normals_face_the_camera_in_mirrored_maps_too():
    points, _, _ = plane((0.3, 0.2, -1))
    normals, _ = normals_from_points(points.flip(1).float())
    assert bool(((normals * points.flip(1)).sum(-1) <= 0).all())


def test_batches_equal_single_maps():
    maps = torch.stack([plane((0.3, 0.2, -1))[0], sphere()[0]]).float()
    seen = torch.stack([torch.ones(180, 270, dtype=torch.bool), sphere()[2]])
    normals, valid = normals_from_points(maps, seen)
    for k in range(2):
        one, one_valid = normals_from_points(maps[k], seen[k])
        assert torch.equal(normals[k], one) and torch.equal(valid[k], one_valid)
