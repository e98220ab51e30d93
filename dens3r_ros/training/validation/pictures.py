# SPDX-License-Identifier: Apache-2.0
"""A sheet of what a network sees in held-out pairs, beside the truth, without image libraries."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.training.losses.truth import PairTruth

_GAP = 2


def write_png(path: Path, image: Tensor) -> None:
    """Write (H, W, 3) uint8."""
    height, width = image.shape[:2]
    rows = b"".join(b"\0" + row.numpy().tobytes() for row in image.cpu().contiguous())
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def sheet(images_a: Tensor, images_b: Tensor, there: PairPrediction, truth: PairTruth) -> Tensor:
    """(H, W, 3) uint8; a row a pair: both images, then truth and prediction side by side of

    the inverse depth of a, of b in a's frame, and the normals of a; last the confidence of a.
    images: (B, 3, H, W) in [-1, 1].
    """
    columns = [_image(images_a), _image(images_b)]
    if there.points_a is not None and there.points_b is not None:
        true = truth.pointmaps()
        columns += _inverse_depths(true.a, there.points_a, truth.a.valid)
        columns += _inverse_depths(true.b, there.points_b, truth.b.valid)
    if there.normals_a is not None:
        shown = torch.where(truth.a.valid[..., None], truth.a.normals, 0)
        columns += [_normals(shown), _normals(there.normals_a)]
    if there.confidence_a is not None:
        columns.append(_grey(_ranked(there.confidence_a)))
    rows = torch.cat([_framed(column) for column in columns], 2)
    return (rows.flatten(0, 1) * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def _image(images: Tensor) -> Tensor:
    return (images.permute(0, 2, 3, 1) + 1) / 2


def _normals(normals: Tensor) -> Tensor:
    return (normals * normals.new_tensor((1.0, -1.0, -1.0)) + 1) / 2


def _inverse_depths(true: Tensor, predicted: Tensor, valid: Tensor) -> list[Tensor]:
    """Both on the scale of the truth, each divided by its own median depth."""
    shown = []
    for points in (true, predicted):
        depth = torch.where(valid, points[..., 2], torch.nan)
        middle = depth.flatten(1).nanmedian(1).values[:, None, None]
        inverse = (middle / points[..., 2]).nan_to_num(0, 0, 0)
        shown.append(_grey((inverse / 3).clamp(0, 1)))
    shown[0] = torch.where(valid[..., None], shown[0], 0)
    return shown


def _ranked(values: Tensor) -> Tensor:
    """Each map's values by their rank in it, 0 to 1."""
    order = values.flatten(1).argsort(1).argsort(1).float()
    return (order / max(order.shape[1] - 1, 1)).reshape(values.shape)


def _grey(values: Tensor) -> Tensor:
    return values[..., None].expand(*values.shape, 3)


def _framed(column: Tensor) -> Tensor:
    """With a white gap to the right and below."""
    framed = torch.nn.functional.pad(column.permute(0, 3, 1, 2), (0, _GAP, 0, _GAP), value=1.0)
    return framed.permute(0, 2, 3, 1)
