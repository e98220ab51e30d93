# SPDX-License-Identifier: Apache-2.0
"""Pairs whose parts disagree, or that change with the batch, would spoil training unnoticed."""

from dataclasses import fields

import pytest
import torch
import torch.nn.functional as F

from dens3r_ros.scenes import (
    FIRST_TRAINING_SEED,
    HELD_OUT_CONFIG,
    HELD_OUT_SEEDS,
    PairBatch,
    SceneConfig,
    sample_pairs,
)
from dens3r_ros.scenes.looks.materials import _tables

H, W = 48, 64


@pytest.fixture(scope="module")
def pairs():
    return sample_pairs(range(48), H, W)


def moved(pairs):
    T_b_a = torch.linalg.inv(pairs.T_a_b())
    points = pairs.points("a").double()
    return torch.einsum("bij,bhwj->bhwi", T_b_a[:, :3, :3], points) + T_b_a[:, None, None, :3, 3]


def test_shapes_ranges_and_validity(pairs):
    for image in (pairs.image_a, pairs.image_b):
        assert image.shape == (48, 3, H, W) and image.dtype == torch.float32
        assert float(image.abs().max()) <= 1.0
        assert float(image.flatten(1).std(1).min()) > 0.02, "a picture without content"
    assert bool((pairs.depth_a[pairs.valid_a] > 0.05).all())
    assert bool((pairs.depth_a[~pairs.valid_a] == 0).all())
    for field in fields(PairBatch):
        assert bool(getattr(pairs, field.name).isfinite().all()), field.name


def test_normals_are_unit_and_face_the_camera(pairs):
    for view in "ab":
        valid = getattr(pairs, f"valid_{view}")
        normals = getattr(pairs, f"normals_{view}")[valid]
        torch.testing.assert_close(
            normals.norm(dim=-1), torch.ones(len(normals)), atol=1e-4, rtol=0
        )
        rays = F.normalize(pairs.points(view)[valid], dim=-1)
        assert float((normals * rays).sum(-1).max()) < 1e-3


def test_points_land_where_they_are_said_to_land(pairs):
    there = moved(pairs)
    seen = pairs.mask_a_in_b
    projected = torch.einsum("bij,bhwj->bhwi", pairs.K_b.double(), there)
    pixels = projected[..., :2] / projected[..., 2:]
    torch.testing.assert_close(pairs.pixels_a_in_b[seen].double(), pixels[seen], atol=5e-3, rtol=0)
    inside = pairs.pixels_a_in_b[seen]
    assert float(inside.min()) >= -0.51 and float(inside[:, 0].max()) <= W - 0.49


def test_both_views_see_the_same_surface_there(pairs):
    # The point of a lies on the tangent plane that b has at the pixel it lands in.
    there = moved(pairs)
    seen = pairs.mask_a_in_b
    batch, row, column = seen.nonzero(as_tuple=True)
    u, v = pairs.pixels_a_in_b[batch, row, column].round().long().unbind(-1)
    shown, normal = pairs.points("b")[batch, v, u].double(), pairs.normals_b[batch, v, u].double()
    point = there[batch, row, column]
    away = ((point - shown) * normal).sum(-1).abs() / point[:, 2]
    assert float(away.median()) < 1e-5
    assert float((away > 0.02).double().mean()) < 0.02


def test_unmasked_points_inside_the_image_are_hidden_or_at_an_edge(pairs):
    # Deep inside visible regions nothing may be missing, or matching learns from too little.
    there = moved(pairs)
    pixels = pairs.pixels_a_in_b
    inside = (pixels > 1).all(-1) & (pixels[..., 0] < W - 2) & (pixels[..., 1] < H - 2)
    inside &= pairs.valid_a & (there[..., 2] > 0.05)
    batch, row, column = inside.nonzero(as_tuple=True)
    u, v = pixels[batch, row, column].round().long().unbind(-1)
    around = [
        pairs.depth_b[batch, (v + dy).clamp(0, H - 1), (u + dx).clamp(0, W - 1)]
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
    ]
    nearest = torch.stack([torch.where(d > 0, d, torch.inf) for d in around]).amin(0)
    farthest = torch.stack([torch.where(d > 0, d, torch.inf) for d in around]).amax(0)
    z = there[batch, row, column, 2].float()
    smooth = (farthest - nearest) < 0.05 * z
    agrees = smooth & (z < nearest * 1.01) & (z > nearest * 0.99)
    masked = pairs.mask_a_in_b[batch, row, column]
    assert agrees.sum() > 10000
    assert float(masked[agrees].double().mean()) > 0.97
    hidden = smooth & (z > farthest * 1.1)
    assert hidden.sum() > 1000 and float(masked[hidden].double().mean()) < 0.002


def test_a_pair_depends_on_its_seed_alone():
    whole = sample_pairs(range(10, 22), H, W)
    for seeds, block in (((15,), None), ((19, 15, 12), 2)):
        part = sample_pairs(seeds, H, W, block=block)
        index = [seed - 10 for seed in seeds]
        for name in ("depth_a", "normals_b", "K_a", "T_world_b"):
            torch.testing.assert_close(
                getattr(part, name), getattr(whole, name)[index], rtol=1e-4, atol=1e-4
            )
        differs = (part.image_a - whole.image_a[index]).abs() > 0.02
        assert float(differs.double().mean()) < 1e-3
        same = part.mask_a_in_b == whole.mask_a_in_b[index]
        assert float(same.double().mean()) > 0.999
    other = sample_pairs((15,), H, W)
    again = sample_pairs((15,), H, W)
    for field in fields(PairBatch):
        assert torch.equal(getattr(other, field.name), getattr(again, field.name)), field.name
    assert not torch.equal(whole.image_a[0], whole.image_a[1])


def test_everything_is_made_on_the_device_asked_for():
    # Whatever does not name its device lands on "meta" here and fails, as it would on a GPU.
    seeds = torch.arange(40)
    expected = sample_pairs(seeds, 24, 32)
    _tables.cache_clear()
    with torch.device("meta"):
        pairs = sample_pairs(seeds, 24, 32, device="cpu")
    assert torch.equal(pairs.image_a, expected.image_a)


def test_overlap_is_as_promised(pairs):
    different = (pairs.T_world_a != pairs.T_world_b).flatten(1).any(1)
    overlap = pairs.overlap[different]
    share = float(((overlap >= 0.2) & (overlap <= 0.95)).double().mean())
    assert share > 0.93
    assert float(overlap.min()) < 0.45 and float(overlap.max()) > 0.75
    shares = [
        (mask & valid).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
        for mask, valid in (
            (pairs.mask_a_in_b, pairs.valid_a),
            (pairs.mask_b_in_a, pairs.valid_b),
        )
    ]
    torch.testing.assert_close(pairs.overlap, 0.5 * (shares[0] + shares[1]))


def test_a_pair_with_itself_is_one_picture_twice():
    pairs = sample_pairs(range(3), H, W, config=SceneConfig(same_view=1.0))
    assert torch.equal(pairs.image_a, pairs.image_b) and torch.equal(pairs.depth_a, pairs.depth_b)
    assert float(pairs.overlap.min()) > 0.995


@pytest.mark.parametrize("size", [(40, 96), (96, 40), (33, 47)])
def test_any_aspect_ratio_and_field_of_view(size):
    pairs = sample_pairs(range(6), *size, config=SceneConfig(field_of_view=(60.0, 60.0)))
    assert pairs.image_a.shape[2:] == size
    focal = 0.5 * max(size) / torch.tan(torch.deg2rad(torch.tensor(30.0)))
    torch.testing.assert_close(pairs.K_a[:, 0, 0], focal.expand(6))


@pytest.mark.parametrize("kind", [name for name, _ in SceneConfig().worlds])
def test_each_kind_of_world_fills_the_picture(kind):
    pairs = sample_pairs(range(6), 24, 32, config=SceneConfig(worlds=((kind, 1.0),)))
    assert float(pairs.valid_a.double().mean()) > 0.6
    assert float(pairs.depth_a[pairs.valid_a].min()) > 0.05


def test_an_unknown_kind_of_world_is_named():
    with pytest.raises(ValueError, match="moon"):
        sample_pairs(range(1), 16, 16, config=SceneConfig(worlds=(("moon", 1.0),)))


def test_the_held_out_distribution_stays_as_it_was():
    assert range(0, 2**32) == HELD_OUT_SEEDS and FIRST_TRAINING_SEED not in HELD_OUT_SEEDS
    assert HELD_OUT_CONFIG.field_of_view == (45.0, 100.0) and HELD_OUT_CONFIG.same_view == 0.03
    assert dict(HELD_OUT_CONFIG.worlds) == {
        "rooms": 0.32,
        "corridors": 0.14,
        "stairs": 0.1,
        "outdoors": 0.24,
        "compositions": 0.2,
    }
