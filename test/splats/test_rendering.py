# SPDX-License-Identifier: Apache-2.0
"""Splats that are drawn or optimised wrongly look right only from where they were made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_splats import CAMERA, looking, naive, scattered
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.drawing.rendering import render
from dens3r_ros.splats.gaussians import Gaussians


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("seed", range(3))
def test_an_image_is_the_sum_over_every_splat_at_every_pixel(seed, dtype) -> None:
    splats, pose = scattered(60, seed, dtype=dtype), looking(seed)
    colours, light = render(splats, CAMERA, pose)
    expected = naive(splats, CAMERA, pose)
    assert expected[..., 3].min() < 0.2 < 0.9 < expected[..., 3].max()
    assert (colours - expected[..., :3]).abs().max() < 1e-4
    assert (light - expected[..., 3]).abs().max() < 1e-4


def test_what_lies_behind_many_splats_in_one_place_is_left_out() -> None:
    """Rounds that follow each other, and tiles that end early."""
    splats = scattered(900, 5, degree=0, dtype=torch.float32)
    colours, light = render(splats, CAMERA, looking(5))
    expected = naive(splats, CAMERA, looking(5))
    assert (light < 1e-5).float().mean() > 0.05
    assert (colours - expected[..., :3]).abs().max() < 1e-4


def test_an_image_without_splats_is_black() -> None:
    nothing = Gaussians(*(t[:0] for t in scattered(3, 0).tensors().values()))
    colours, light = render(nothing, CAMERA, np.eye(4))
    assert colours.shape == (21, 29, 3)
    assert float(colours.abs().sum()) == 0.0
    assert float(light.min()) == 1.0


def test_a_small_splat_is_where_its_pixel_is() -> None:
    """Half a pixel off, optimised splats are blurred in every other program."""
    camera = Intrinsics(100.0, 100.0, 15.5, 11.5, 40, 30)
    mean = torch.tensor([[(22 - 15.5) / 100, (7 - 11.5) / 100, 1.0]])
    splat = Gaussians(
        mean,
        torch.full((1, 3), -9.0),
        torch.tensor([[0.0, 0.0, 0.0, 1.0]]),
        torch.full((1,), 8.0),
        torch.ones(1, 1, 3),
    )
    colours, _ = render(splat, camera, np.eye(4))
    weights = colours[..., 0] / colours[..., 0].sum()
    assert float((weights.sum(0) * torch.arange(40)).sum()) == pytest.approx(22, abs=1e-3)
    assert float((weights.sum(1) * torch.arange(30)).sum()) == pytest.approx(7, abs=1e-3)


_STEP = 1e-6


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12), degree=st.integers(0, 1))
def test_gradients_are_finite_differences(seed: int, count: int, degree: int) -> None:
    splats, pose = scattered(count, seed, degree), looking(seed)
    random = torch.Generator().manual_seed(seed)
    weights = torch.randn(CAMERA.height, CAMERA.width, 4, generator=random, dtype=torch.float64)

    def loss(numbers: Gaussians) -> torch.Tensor:
        colours, light = render(numbers, CAMERA, pose)
        return (torch.cat([colours, light[..., None]], -1) * weights).sum()

    leaves = {name: t.clone().requires_grad_() for name, t in splats.tensors().items()}
    loss(Gaussians(**leaves)).backward()
    for name, tensor in splats.tensors().items():
        way = torch.randn(tensor.shape, generator=random, dtype=torch.float64)
        two = [
            Gaussians(**(splats.tensors() | {name: tensor + sign * _STEP * way}))
            for sign in (-1, 1)
        ]
        before, after = (float(loss(one)) for one in two)
        # Where a splat begins to count at a pixel the image jumps; there is no slope to be had.
        assume(abs(after - before) < 1e-3)
        expected = (after - before) / (2 * _STEP)
        found = float((leaves[name].grad * way).sum())
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), name
