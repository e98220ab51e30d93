# SPDX-License-Identifier: Apache-2.0
"""Colours that shine from the wrong side, in our pictures or in other programs, if these fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from drawn_splats import CAMERA, looking, scattered

from dens3r_ros.splats.drawing.rendering import render
from dens3r_ros.splats.gaussians import gaussians_of, splats_of
from dens3r_ros.splats.harmonics import CONSTANT, basis, colours, turned
from dens3r_ros.splats.transforming import transformed


def directions(count: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    found = torch.randn(count, 3, generator=random, dtype=torch.float64)
    return found / found.norm(dim=1, keepdim=True)


def test_signs_and_factors_are_those_of_splatting() -> None:
    """The constants that every renderer of splats has in its shader."""
    x, y, z = directions(20).T
    one, two, three = (
        math.sqrt(3 / (4 * math.pi)),
        math.sqrt(15 / (4 * math.pi)),
        0.5900435899266435,
    )
    expected = {
        0: torch.full_like(x, 0.28209479177387814),
        1: -one * y,
        2: one * z,
        3: -one * x,
        4: two * x * y,
        5: -two * y * z,
        6: 0.31539156525252005 * (2 * z * z - x * x - y * y),
        7: -two * x * z,
        8: 0.5462742152960396 * (x * x - y * y),
        9: -three * y * (3 * x * x - y * y),
        10: 2.890611442640554 * x * y * z,
        12: 0.3731763325901154 * z * (2 * z * z - 3 * x * x - 3 * y * y),
        15: -three * x * (x * x - 3 * y * y),
        16: 2.5033429417967046 * x * y * (x * x - y * y),
        20: 0.10578554691520431 * (z * z * (35 * z * z - 30) + 3),
    }
    found = basis(torch.stack([x, y, z], -1), 4)
    for n, values in expected.items():
        assert torch.allclose(found[:, n], values, atol=1e-12), n


@pytest.mark.parametrize("degree", range(5))
def test_turned_harmonics_show_each_colour_in_the_turned_direction(degree: int) -> None:
    random = np.random.default_rng(degree)
    harmonics = random.normal(size=(6, (degree + 1) ** 2, 3)).astype(np.float32)
    R = np.linalg.qr(random.normal(size=(3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    seen = directions(6, degree)
    before = colours(torch.from_numpy(harmonics).double(), seen)
    after = colours(torch.from_numpy(turned(harmonics, R)).double(), seen @ torch.from_numpy(R).T)
    assert torch.allclose(before, after, atol=1e-5)


def test_a_moved_scene_looks_the_same_to_a_moved_camera() -> None:
    gaussians = scattered(40, 3, degree=1, dtype=torch.float32)
    splats = splats_of(gaussians, "map", metric=False)
    random = np.random.default_rng(1)
    R = np.linalg.qr(random.normal(size=(3, 3)))[0]
    R *= np.sign(np.linalg.det(R))
    S = np.eye(4)
    S[:3, :3], S[:3, 3] = 2.5 * R, random.normal(size=3)
    moved = transformed(splats, S, "world", metric=True)
    assert (moved.frame, moved.metric, splats.metric) == ("world", True, False)
    camera, T = CAMERA, looking(3)
    there = np.eye(4)
    there[:3, :3], there[:3, 3] = R @ T[:3, :3], S[:3, :3] @ T[:3, 3] + S[:3, 3]
    before, _ = render(gaussians_of(splats), camera, T)
    after, _ = render(gaussians_of(moved), camera, there)
    assert before.max() > 0.5
    assert torch.allclose(before, after, atol=2e-3)


def test_constant_colours_do_not_depend_on_the_direction() -> None:
    seen = colours(torch.full((4, 1, 3), 0.2), directions(4).float())
    assert torch.allclose(seen, torch.tensor(0.5 + 0.2 * CONSTANT))
