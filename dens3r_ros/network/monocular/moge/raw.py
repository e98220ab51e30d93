# SPDX-License-Identifier: Apache-2.0
"""What a MoGe's forward pass gives before the camera is recovered, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from dens3r_ros.network.monocular.moge.description import MogeCommon
from dens3r_ros.network.parts.info import NetworkInfo

_USUAL_SIZE = (640, 480)


@dataclass(frozen=True, eq=False)
class RawPoints:
    """Maps of a batch of images, at their size.

    points  (B, H, W, 3) float32 in the optical frame, up to a shift in depth (and up to scale)
    mask    (B, H, W): above 0.5 where there is something finitely far away
    normals (B, H, W, 3) unit vectors in the optical frame
    scale   (B,) metres in a unit of `points`; None where that is not known
    """

    points: Tensor
    mask: Tensor
    normals: Tensor | None = None
    scale: Tensor | None = None


def tokens_at(level: int, tokens: tuple[int, int]) -> int:
    """Patches at a resolution level from 0 (coarse, fast) to 9 (fine, slow)."""
    if not 0 <= level <= 9:
        raise ValueError(f"resolution level {level}; it goes from 0 to 9")
    least, most = tokens
    return int(least + level / 9 * (most - least))


def info_of(
    network: nn.Module,
    family: str,
    description: MogeCommon,
    outputs: tuple[str, ...],
    metric: bool,
) -> NetworkInfo:
    """What a MoGe is and gives; images may have any size, and are looked at one by one."""
    return NetworkInfo(
        family=family,
        patch=1,
        training_size=_USUAL_SIZE,
        metric=metric,
        outputs=outputs,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        turn_portraits=False,
        licence=description.licence,
        views=1,
    )
