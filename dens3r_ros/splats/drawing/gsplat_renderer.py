# SPDX-License-Identifier: Apache-2.0
"""The same images by gsplat, on a CUDA device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.drawing.projection import BLUR, NEAR
from dens3r_ros.splats.drawing.rendering import Renderer, render
from dens3r_ros.splats.gaussians import Gaussians


def renderer_on(device: torch.device) -> Renderer:
    """gsplat's for a CUDA device, our own elsewhere; ImportError with a sentence without gsplat."""
    if device.type != "cuda":
        return render
    try:
        import gsplat  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "optimising splats on CUDA needs gsplat, which is not installed: pip install gsplat, or"
            " choose the device cpu"
        ) from error
    return render_with_gsplat


def gsplat_device() -> torch.device:
    """CUDA where gsplat and a device are there, else the CPU."""
    try:
        import gsplat  # noqa: F401
    except ImportError:
        return torch.device("cpu")
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def render_with_gsplat(
    gaussians: Gaussians, camera: Intrinsics, T_world_camera: np.ndarray
) -> tuple[Tensor, Tensor]:
    """As `rendering.render`."""
    from gsplat import rasterization

    inverse = np.linalg.inv(np.asarray(T_world_camera, np.float64))
    view = torch.from_numpy(inverse).to(gaussians.means)
    # Its pixel centres lie at halves, ours at whole numbers.
    K = torch.from_numpy(camera.K).to(gaussians.means)
    K[:2, 2] += 0.5
    colours, opaque, _ = rasterization(
        means=gaussians.means,
        quats=torch.nn.functional.normalize(gaussians.rotations, dim=-1)[:, (3, 0, 1, 2)],
        scales=gaussians.log_scales.exp(),
        opacities=gaussians.logits.sigmoid(),
        colors=gaussians.harmonics,
        viewmats=view[None],
        Ks=K[None],
        width=camera.width,
        height=camera.height,
        near_plane=NEAR,
        eps2d=BLUR,
        sh_degree=round(gaussians.harmonics.shape[1] ** 0.5) - 1,
    )
    return colours[0], 1 - opaque[0, ..., 0]
