# SPDX-License-Identifier: Apache-2.0
"""How long drawing takes, beside a fixed computation."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.drawing.rendering import render
from dens3r_ros.splats.gaussians import Gaussians

_NEAR, _FAR = 1.0, 6.0
"""Where splats lie, in the unit of the scene."""
_FIXED = 1024
"""Side of the matrices whose product is the fixed computation."""


def scattered(count: int, camera: Intrinsics, pixels: float, seed: int = 0) -> Gaussians:
    """Splats all over a camera's view, each with a deviation of so many pixels."""
    random = np.random.default_rng(seed)
    depth = random.uniform(_NEAR, _FAR, count)
    x = (random.uniform(0, camera.width, count) - camera.cx) / camera.fx
    y = (random.uniform(0, camera.height, count) - camera.cy) / camera.fy
    numbers = (
        np.stack([x, y, np.ones(count)], 1) * depth[:, None],
        np.repeat(np.log(pixels * depth / camera.fx)[:, None], 3, 1),
        random.normal(size=(count, 4)),
        2 * random.normal(size=count),
        random.normal(size=(count, 1, 3)),
    )
    return Gaussians(*(torch.tensor(one, dtype=torch.float32) for one in numbers))


def time_drawing(count: int, camera: Intrinsics, pixels: float, rounds: int) -> dict[str, float]:
    """Medians in milliseconds of drawing, of drawing with gradients, and of a matrix product."""
    splats = scattered(count, camera, pixels)
    wanted = Gaussians(*(one.clone().requires_grad_() for one in splats.tensors().values()))
    square = torch.rand(_FIXED, _FIXED)

    def draw() -> object:
        with torch.no_grad():
            return render(splats, camera, np.eye(4))

    parts: dict[str, Callable[[], object]] = {
        "forward_ms": draw,
        "forward_and_backward_ms": lambda: render(wanted, camera, np.eye(4))[0].sum().backward(),
        "matrix_product_ms": lambda: square @ square,
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds + 1):
        for name, part in parts.items():
            began = time.perf_counter()
            part()
            times[name].append(1e3 * (time.perf_counter() - began))
    return {name: float(np.median(taken[1:])) for name, taken in times.items()}
