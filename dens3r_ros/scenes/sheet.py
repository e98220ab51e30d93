# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: what pairs look like, at a glance."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.pairs import PairBatch

_GAP = 2


def contact_sheet(pairs: PairBatch, columns: int = 1) -> Tensor:
    """(H', W', 3) uint8: per pair image a, image b, depth, normals, and what b sees of a.

    Depth is brighter the nearer, each picture for itself; normals point right in red, up in green,
    towards the camera in blue; what b does not see of a is darkened.
    """
    images = [_bytes(image.permute(0, 2, 3, 1)) for image in (pairs.image_a, pairs.image_b)]
    near = torch.where(pairs.valid_a, 1.0 / pairs.depth_a.clamp(min=1e-3), 0.0)
    brightest = near.flatten(1).quantile(0.98, dim=1).clamp(min=1e-6)
    depth = (near / brightest[:, None, None]).clamp(max=1.0)
    flip = torch.tensor((1.0, -1.0, -1.0), device=depth.device)
    seen = images[0] // 4 + (images[0] - images[0] // 4) * pairs.mask_a_in_b[..., None]
    cells = (
        *images,
        _bytes(2.0 * depth[..., None].expand(-1, -1, -1, 3) - 1.0),
        _bytes(pairs.normals_a * flip),
        seen,
    )
    rows = torch.cat([_framed(cell) for cell in cells], 2)
    missing = -len(rows) % columns
    rows = torch.cat((rows, rows.new_full((missing, *rows.shape[1:]), 255)))
    strips = rows.view(columns, -1, *rows.shape[1:]).flatten(1, 2)
    return torch.cat(list(strips), 1)


def _bytes(values: Tensor) -> Tensor:
    return ((values + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _framed(cell: Tensor) -> Tensor:
    return torch.nn.functional.pad(cell, (0, 0, _GAP, _GAP, _GAP, _GAP), value=255)
