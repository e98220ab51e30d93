# SPDX-License-Identifier: Apache-2.0
"""What the fast preprocessing saves, and what it changes in a network's outputs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.preprocess import Sizing, normalise, place, resample
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.engines.torch_engine import sizing_of
from dens3r_ros.engines.wanted import wanted_maps
from dens3r_ros.network.network import Network


def bench_preprocess(network: Network, images: Sequence[np.ndarray]) -> dict[str, Any]:
    """Compare both roads on neighbouring (H, W, 3) uint8 images, float32.

    As a yardstick, the same differences for the exact road with every pixel one grey level up or
    down at random, which a camera does by itself.
    """
    sizing = sizing_of(network.info)
    exact, exact_ms = _resampled(images, sizing, exact=True)
    fast, fast_ms = _resampled(images, sizing, exact=False)
    signs = np.random.default_rng(0).choice((-1, 1), exact.shape)
    noisy = np.clip(exact.astype(np.int16) + signs, 0, 255).astype(np.uint8)
    reference = _maps(network, exact)
    return {
        "images": len(images),
        "exact_ms": exact_ms,
        "fast_ms": fast_ms,
        "grey_levels": float(np.abs(exact.astype(int) - fast.astype(int)).mean()),
        "fast_changes": changes(reference, _maps(network, fast)),
        "noise_changes": changes(reference, _maps(network, noisy)),
    }


def _resampled(
    images: Sequence[np.ndarray], sizing: Sizing, exact: bool
) -> tuple[np.ndarray, float]:
    """All images, and the median milliseconds for one."""
    results, spent = [], []
    for image in images:
        start = time.perf_counter()
        results.append(resample(image, place(image.shape[:2], sizing), exact))  # type: ignore[arg-type]
        spent.append(1e3 * (time.perf_counter() - start))
    return np.stack(results), float(np.median(spent))


def _maps(network: Network, pixels: np.ndarray) -> dict[str, Tensor]:
    with torch.inference_mode():
        tokens = [network.encode(normalise(one[None])) for one in torch.from_numpy(pixels)]
        pairs = [wanted_maps(network, network.decode(a, b), Outputs()) for a, b in pairwise(tokens)]
    return {name: torch.cat([maps[name] for maps in pairs]) for name in pairs[0]}


def changes(reference: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, float]:
    """The median change of every map: an angle in degrees for unit vectors, else a ratio."""
    medians: dict[str, float] = {}
    for name, value in reference.items():
        measure = _degrees if name.startswith(("normals", "descriptors_")) else _ratio
        medians[name] = float(measure(value, other[name]).median())
    return medians


def _degrees(one: Tensor, other: Tensor) -> Tensor:
    return torch.rad2deg(2 * torch.asin(((one - other).norm(dim=-1) / 2).clamp(max=1)))


def _ratio(one: Tensor, other: Tensor) -> Tensor:
    if one.dim() == 3:
        return (one - other).abs() / one.abs()
    return (one - other).norm(dim=-1) / one.norm(dim=-1).clamp(min=1e-8)
