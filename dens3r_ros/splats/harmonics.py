# SPDX-License-Identifier: Apache-2.0
"""Real spherical harmonics as 3D Gaussian splatting has them, and how they turn."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

CONSTANT = 0.5 / math.sqrt(math.pi)
"""The harmonic of degree 0, the same in all directions."""


def basis(directions: Tensor, degree: int) -> Tensor:
    """(..., (degree + 1)^2) harmonics in unit directions (..., 3), by degree, then order.

    Order m has the factor (-1)^m, so that those of degree 1 are -y, z, -x times a constant.
    """
    x, y, z = directions.unbind(-1)
    # Real and imaginary part of (x + iy)^m.
    cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]
    for _ in range(degree):
        cosines.append(x * cosines[-1] - y * sines[-1])
        sines.append(x * sines[-1] + y * cosines[-2])
    rows = []
    for band in range(degree + 1):
        for order in range(-band, band + 1):
            m = abs(order)
            circle = cosines[m] if order >= 0 else sines[m]
            rows.append(_norm(band, m) * _legendre(band, m, z) * circle)
    return torch.stack(rows, -1)


def _norm(band: int, m: int) -> float:
    share = math.factorial(band - m) / math.factorial(band + m)
    both = 1.0 if m == 0 else math.sqrt(2.0)
    return (-1) ** m * both * math.sqrt((2 * band + 1) / (4 * math.pi) * share)


def _legendre(band: int, m: int, z: Tensor) -> Tensor:
    """The associated Legendre polynomial over sin^m, without the factor (-1)^m."""
    before, here = torch.zeros_like(z), torch.full_like(z, float(math.prod(range(1, 2 * m, 2))))
    for k in range(m + 1, band + 1):
        before, here = here, ((2 * k - 1) * z * here - (k + m - 1) * before) / (k - m)
    return here


def colours(harmonics: Tensor, directions: Tensor) -> Tensor:
    """(N, 3) colours of coefficients (N, K, 3) in unit directions (N, 3); 0 to 1 and above."""
    degree = round(harmonics.shape[1] ** 0.5) - 1
    if degree == 0:
        return (harmonics[:, 0] * CONSTANT + 0.5).clamp(min=0)
    values = basis(directions, degree)
    return ((values[..., None] * harmonics).sum(1) + 0.5).clamp(min=0)


def turned(harmonics: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(N, K, 3) coefficients after everything was turned by a rotation (3, 3)."""
    degree = round(harmonics.shape[1] ** 0.5) - 1
    result = harmonics.astype(np.float64)
    directions = _spread_directions(4 * (2 * degree + 1))
    turned_back = directions @ torch.from_numpy(np.asarray(rotation, np.float64))
    for band in range(1, degree + 1):
        part = slice(band**2, (band + 1) ** 2)
        here = basis(directions, band)[:, part].numpy()
        there = basis(turned_back, band)[:, part].numpy()
        # One band turns within itself: values in the directions before are those of the turned one.
        matrix = np.linalg.lstsq(here, there, rcond=None)[0]
        result[:, part] = np.einsum("ij,njc->nic", matrix, result[:, part])
    return result.astype(np.float32)


def _spread_directions(count: int) -> Tensor:
    """Unit vectors spread evenly over all directions."""
    turn = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * turn + 1) / count
    angle = turn * math.pi * (3 - math.sqrt(5))
    level = (1 - z * z).sqrt()
    return torch.stack([level * angle.cos(), level * angle.sin(), z], -1)
