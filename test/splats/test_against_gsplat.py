# SPDX-License-Identifier: Apache-2.0
"""Against gsplat's own reference in PyTorch: if it fails, splats that were optimised here look
different wherever gsplat or a viewer made after it draws them."""

from __future__ import annotations

import pytest
import torch
from drawn_splats import CAMERA, looking, scattered

from dens3r_ros.splats.drawing.projection import FAINTEST, projected
from dens3r_ros.splats.harmonics import colours

reference = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")


@pytest.mark.parametrize("seed", range(4))
def test_ellipses_lie_and_lean_as_gsplats_do(seed: int) -> None:
    gaussians = scattered(300, seed)
    T = torch.linalg.inv(torch.from_numpy(looking(seed)))
    found = projected(gaussians, CAMERA, T)
    order = found.indices
    # Theirs are w, x, y, z, and the first pixel's centre lies at one half.
    covariances, _ = reference._quat_scale_to_covar_preci(
        torch.nn.functional.normalize(gaussians.rotations.roll(1, -1), dim=-1),
        gaussians.log_scales.exp(),
    )
    K = torch.from_numpy(CAMERA.K.copy())
    K[:2, 2] += 0.5
    radii, centres, depths, conics, _ = reference._fully_fused_projection(
        gaussians.means, covariances, T[None], K[None], CAMERA.width, CAMERA.height
    )
    assert len(order) > 50 and bool((depths[0][order].diff() >= 0).all()), "the nearest first"
    torch.testing.assert_close(found.centres, centres[0][order] - 0.5, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.conics, conics[0][order], rtol=1e-5, atol=1e-8)
    missed = set(radii[0].amin(-1).nonzero()[:, 0].tolist()) - set(order.tolist())
    faint = {n for n in missed if float(gaussians.logits[n].sigmoid()) < FAINTEST}
    assert missed == faint, "what theirs draws is drawn here"


@pytest.mark.parametrize("degree", range(4))
def test_colours_depend_on_the_direction_as_gsplats_do(degree: int) -> None:
    gaussians = scattered(50, 9, degree=degree)
    directions = torch.nn.functional.normalize(gaussians.means, dim=-1)
    theirs = reference._spherical_harmonics(degree, directions, gaussians.harmonics) + 0.5
    torch.testing.assert_close(
        colours(gaussians.harmonics, directions), theirs.clamp(min=0), rtol=1e-6, atol=1e-6
    )
