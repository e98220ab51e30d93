# SPDX-License-Identifier: Apache-2.0
"""Light, texture and camera effects: without them a network learns pictures that do not exist."""

import io

import numpy as np
import torch
from PIL import Image
from shapes import camera, shapes, world

from dens3r_ros.scenes.looks.atlas import LEVELS, TILES, atlas, look_up
from dens3r_ros.scenes.looks.jpeg import jpeg
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, ELLIPSOID
from dens3r_ros.scenes.rays.shade import radiance
from dens3r_ros.scenes.rays.surface import see


def test_a_ball_throws_a_soft_shadow_on_the_ground_below_it():
    parts = [
        (BOX, (0.0, 0.0, -1.0), (20.0, 20.0, 1.0), None),
        (ELLIPSOID, (0.0, 0.0, 1.5), (0.5, 0.5, 0.5), None),
    ]
    scene = shapes(*parts)
    scene.material[..., :9], scene.material[..., 10:13], scene.material[..., 18] = 0.5, 0.01, 1.0
    views = camera((0.0, -4.0, 3.0), (0.0, 0.0, 0.0), size=(96, 96), focal=70.0)
    surface = see(world(scene), views)
    light = radiance(world(scene), views, surface)[0].mean(0)
    depth = surface.depth[0]
    T = views.T_world_camera[0].float()
    points = (
        torch.einsum("ij,jhw->hwi", T[:3, :3], views.rays()[0] * depth.nan_to_num(posinf=0.0))
        + T[:3, 3]
    )
    ground = (surface.slot[0] == 0) & (points[..., :2].abs() < 2).all(-1)
    radius = points[..., :2].norm(dim=-1)
    dark, bright = light[ground & (radius < 0.2)], light[ground & (radius > 0.8)]
    assert len(dark) > 10 and float(dark.mean()) < 0.35 * float(bright.mean())
    between = light[ground & (radius > 0.35) & (radius < 0.55)] / bright.mean()
    assert bool(((between > 0.3) & (between < 0.8)).any()), "the edge is not soft"


def test_textures_fade_to_their_mean_when_a_pixel_covers_them():
    table = atlas(torch.device("cpu"))
    u, v = torch.rand(2, 500, generator=torch.Generator().manual_seed(0))
    for name in ("bricks", "text", "stripes"):
        tile = torch.full((500,), float(TILES[name][0]))
        spread = [
            float(look_up(table, tile, u, v, torch.full((500,), size)).std(1).max())
            for size in (2.0**-LEVELS, 0.06, 1.0)
        ]
        assert spread[0] > spread[1] > spread[2] and spread[2] < 1e-5


def test_a_texture_repeats_without_a_seam():
    table = atlas(torch.device("cpu"))
    v = torch.linspace(0, 1, 100)
    tile = torch.full((100,), float(TILES["marble"][0]))
    fine = torch.full((100,), 1 / 256)
    a, b = (look_up(table, tile, torch.full((100,), x), v, fine) for x in (0.25, 3.25))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_jpeg_loses_what_a_real_codec_loses():
    y, x = np.mgrid[0:64, 0:96]
    picture = np.stack((x * 2.5, 127 + 60 * np.sin(y / 3.0), 255 - y * 3.0), -1).clip(0, 255)
    picture += np.random.RandomState(0).randn(64, 96, 3) * 10
    picture = picture.clip(0, 255).astype(np.uint8)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    for quality in (30, 60, 90):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=2)
        real = np.asarray(Image.open(stream)).astype(float)
        ours = jpeg(tensor, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() * 255
        error_real, error_ours = (np.abs(p - picture).mean() for p in (real, ours))
        assert abs(error_ours - error_real) < 0.25 * error_real
        assert np.abs(ours - real).mean() < 0.6 * error_real
    assert torch.equal(jpeg(tensor, torch.tensor([100.0])), tensor)


def test_random_streams_are_even_and_independent():
    stream = RandomStream(torch.arange(200))
    values = stream.uniform(500)
    assert abs(float(values.mean()) - 0.5) < 0.005 and abs(float(values.var()) - 1 / 12) < 0.002
    correlation = torch.corrcoef(values[:20])
    assert float((correlation - torch.eye(20)).abs().max()) < 0.2
    assert not torch.equal(values, stream.uniform(500))
    alone = RandomStream(torch.tensor([7]))
    assert torch.equal(alone.uniform(500)[0], values[7])
    normal = RandomStream(torch.arange(200), 3).normal(500)
    assert abs(float(normal.std()) - 1.0) < 0.02
