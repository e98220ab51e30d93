# SPDX-License-Identifier: Apache-2.0
"""Depth and normals that are not exact would teach networks, and judge mappers, wrongly."""

import torch
from shapes import camera, shapes, world, world_rays

from dens3r_ros.scenes.looks.materials import COLUMNS
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.rays.primitives import tilt_rotation, yaw_rotation
from dens3r_ros.scenes.rays.surface import see
from dens3r_ros.scenes.rays.terrain import Terrain

GROUND = (BOX, (0.0, 0.0, -1.0), (50.0, 50.0, 1.0), None)


def seen(parts, views, terrain=None):
    surface = see(world(shapes(*parts), terrain), views)
    normals = surface.normals.view(3, views.height, views.width).permute(1, 2, 0)
    in_world = normals.double() @ views.T_world_camera[0, :3, :3].T
    return surface.depth[0].double(), surface.slot[0], in_world


def test_plane_depth_and_normal_are_those_of_the_plane():
    views = camera((1.0, -2.0, 1.5), (2.0, 3.0, 0.2), roll=0.3)
    depth, slot, normals = seen([GROUND], views)
    origin, rays = world_rays(views)
    expected = -origin[2] / rays[..., 2]
    hit = (expected > 0) & ((origin + rays * expected[..., None])[..., :2].abs() < 50).all(-1)
    assert torch.equal(slot >= 0, hit) and hit.any() and not hit.all()
    torch.testing.assert_close(depth[hit], expected[hit], rtol=1e-5, atol=0)
    torch.testing.assert_close(
        normals[hit], torch.tensor([0.0, 0, 1]).double().expand_as(normals[hit]), atol=1e-6, rtol=0
    )


def test_slanted_plane_has_its_own_normal():
    turn = yaw_rotation(torch.tensor(0.7)) @ tilt_rotation(torch.tensor(0.5))
    views = camera((0.0, -4.0, 3.0), (0.0, 0.0, 0.5))
    depth, slot, normals = seen([(BOX, (0.0, 0.0, 0.5), (1.0, 1.5, 0.05), turn)], views)
    up = turn[:, 2].double()
    top = (slot >= 0) & (normals @ up > 0.99)
    origin, rays = world_rays(views)
    expected = ((torch.tensor([0, 0, 0.5]).double() + 0.05 * up - origin) @ up) / (rays @ up)
    assert top.sum() > 100
    torch.testing.assert_close(depth[top], expected[top], rtol=1e-5, atol=0)
    torch.testing.assert_close(normals[top], up.expand_as(normals[top]), atol=1e-5, rtol=0)


def test_sphere_depth_and_normals_are_radial():
    centre, radius = torch.tensor([0.3, 2.0, 1.0]).double(), 0.8
    views = camera((0.0, -2.0, 1.4), (0.2, 2.0, 1.0), roll=-0.2)
    depth, slot, normals = seen([(ELLIPSOID, tuple(centre.tolist()), (radius,) * 3, None)], views)
    origin, rays = world_rays(views)
    a, b = (rays**2).sum(-1), ((origin - centre) * rays).sum(-1)
    root = b**2 - a * (((origin - centre) ** 2).sum() - radius**2)
    hit = root > 1e-3
    assert hit.sum() > 100 and bool((slot >= 0)[hit].all()) and bool((slot < 0)[root < -1e-3].all())
    expected = (-b - root.clamp(min=0).sqrt()) / a
    torch.testing.assert_close(depth[hit], expected[hit], rtol=1e-4, atol=0)
    points = origin + rays * expected[..., None]
    torch.testing.assert_close(normals[hit], ((points - centre) / radius)[hit], atol=2e-3, rtol=0)


def test_ellipsoid_points_lie_on_it_and_normals_are_gradients():
    half = torch.tensor([0.9, 0.4, 0.6]).double()
    views = camera((1.5, -2.5, 1.0), (0.0, 0.0, 0.0))
    depth, slot, normals = seen([(ELLIPSOID, (0.0, 0.0, 0.0), tuple(half.tolist()), None)], views)
    origin, rays = world_rays(views)
    points = (origin + rays * depth[..., None])[slot >= 0]
    assert len(points) > 100
    torch.testing.assert_close(
        ((points / half) ** 2).sum(-1), torch.ones(len(points)).double(), atol=1e-4, rtol=0
    )
    gradient = torch.nn.functional.normalize(points / half**2, dim=-1)
    torch.testing.assert_close(normals[slot >= 0], gradient, atol=1e-4, rtol=0)


def test_cylinder_has_a_round_side_and_flat_caps():
    views = camera((0.0, -3.0, 2.5), (0.0, 0.0, 0.6))
    depth, slot, normals = seen([(CYLINDER, (0.0, 0.0, 0.5), (0.7, 0.7, 0.5), None)], views)
    origin, rays = world_rays(views)
    points = origin + rays * depth.nan_to_num(posinf=0.0)[..., None]
    cap = (slot >= 0) & (normals[..., 2] > 0.5)
    side = (slot >= 0) & ~cap
    assert cap.sum() > 50 and side.sum() > 50
    torch.testing.assert_close(
        points[cap][:, 2], torch.ones(int(cap.sum())).double(), atol=1e-5, rtol=0
    )
    assert float(points[cap][:, :2].norm(dim=-1).max()) <= 0.7001
    torch.testing.assert_close(
        points[side][:, :2].norm(dim=-1),
        torch.full((int(side.sum()),), 0.7).double(),
        atol=1e-5,
        rtol=0,
    )
    outward = torch.cat((points[side][:, :2] / 0.7, torch.zeros(int(side.sum()), 1)), 1)
    torch.testing.assert_close(normals[side], outward, atol=1e-5, rtol=0)


def test_box_faces_are_told_apart_and_the_nearest_shape_wins():
    boxes = [
        (BOX, (0.0, 2.0, 0.5), (0.5, 0.5, 0.5), None),
        (BOX, (0.0, 4.0, 1.0), (2.0, 0.1, 1.0), None),
        GROUND,
    ]
    views = camera((1.4, -0.6, 1.6), (0.1, 2.0, 0.5))
    depth, slot, normals = seen(boxes, views)
    origin, rays = world_rays(views)
    points = origin + rays * depth.nan_to_num(posinf=0.0)[..., None]
    for axis, value in ((2, 1.0), (1, 1.5), (0, 0.5)):
        face = (slot == 0) & (normals[..., axis].abs() > 0.5)
        assert face.sum() > 20
        torch.testing.assert_close(
            points[face][:, axis], torch.full((int(face.sum()),), value).double(), atol=1e-5, rtol=0
        )
    behind = (origin + rays * ((3.9 - origin[1]) / rays[..., 1])[..., None])[slot == 0]
    assert float((behind[:, 0].abs() < 2).double().mean()) > 0.5, "the wall is behind the cube"


def test_every_pixel_has_the_nearest_of_many_shapes_whatever_the_tiles():
    # Brute force: each shape rendered alone; an error in culling shows as a difference.
    generator = torch.Generator().manual_seed(4)
    parts = [GROUND]
    for i in range(24):
        place = (torch.rand(3, generator=generator) * 6 - 3).tolist()
        half = (torch.rand(3, generator=generator) * 0.7 + 0.1).tolist()
        turn = yaw_rotation(torch.rand((), generator=generator) * 6) @ tilt_rotation(
            torch.rand((), generator=generator) * 3
        )
        if i % 3:
            half[1] = half[0]
        parts.append((i % 3, (place[0], place[1] + 4, place[2] + 2), tuple(half), turn))
    views = camera((0.0, -3.0, 2.0), (0.0, 3.0, 1.5), size=(70, 83), focal=45.0, roll=0.4)
    depth, _, _ = seen(parts, views)
    alone = torch.stack([seen([part], views)[0] for part in parts]).amin(0)
    assert torch.equal(depth.isfinite(), alone.isfinite())
    torch.testing.assert_close(depth, alone, rtol=1e-6, atol=0)


def test_height_field_is_hit_where_a_fine_march_hits_it():
    waves = torch.tensor(
        [[[0.9, 0.2, 0.4, 0.3], [-0.3, 1.1, 1.0, 0.2], [0.0, 0.4, 0.0, 0.4], [0.5, 0.0, 2.0, 0.1]]]
    )
    terrain = Terrain(
        waves,
        torch.zeros(1),
        torch.full((1, 2), 20.0),
        torch.ones(1, dtype=torch.bool),
        torch.zeros(1, COLUMNS),
    )
    views = camera((0.0, 0.0, 2.6), (3.0, 6.0, 0.4), size=(25, 31), focal=25.0)
    depth, slot, normals = seen([(BOX, (0.0, 0.0, -90.0), (0.1, 0.1, 0.1), None)], views, terrain)
    origin, rays = world_rays(views)
    steps = torch.linspace(0.05, 20.0, 3000).double()
    points = origin + rays[..., None, :] * steps[:, None]
    flat = points.reshape(-1, 3)
    height = terrain.surface(torch.zeros(len(flat), dtype=torch.long), flat[:, 0], flat[:, 1])[0]
    below = (flat[:, 2] < height).view(points.shape[:-1])
    inside = (points[..., :2].abs() < 19.5).all(-1)
    first = steps[(below & inside).double().argmax(-1)]
    hit = (below & inside).any(-1)
    assert hit.sum() > 200
    wrong = (depth - first).abs()[hit] > 0.015
    assert float(wrong.double().mean()) < 0.005
    at = (origin + rays * depth.nan_to_num(posinf=0.0)[..., None])[hit & (slot >= 0)]
    _, slope_x, slope_y = terrain.surface(
        torch.zeros(len(at), dtype=torch.long), at[:, 0], at[:, 1]
    )
    gradient = torch.stack((-slope_x, -slope_y, torch.ones_like(slope_x)), -1)
    gradient = torch.nn.functional.normalize(gradient, dim=-1)
    torch.testing.assert_close(normals[hit & (slot >= 0)], gradient, atol=1e-3, rtol=0)
