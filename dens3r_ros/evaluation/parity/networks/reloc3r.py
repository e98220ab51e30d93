# SPDX-License-Identifier: Apache-2.0
"""Reloc3r: relative poses, and poses averaged from several of them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import (
    CAMERA_TOLERANCE,
    Comparison,
    at_most,
    of_scale,
)
from dens3r_ros.evaluation.parity.fixture import Fixture, images, subsampled
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights, loaded
from dens3r_ros.geometry.many_views.motion_averaging import averaged_pose
from dens3r_ros.network.descendants.reloc3r import Reloc3r

NAME = "Reloc3r"
_AVERAGING_TOLERANCE = 1e-9


def recognises(fixture: Fixture) -> bool:
    """Whether the file's weights are a Reloc3r's."""
    return kind_of_weights(fixture) == "reloc3r"


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Both poses and the intermediates of every case, every average."""
    network = loaded(fixture, Reloc3r)
    with torch.inference_mode():
        for case in fixture.folders("case/") or [""]:
            yield from _compare_case(fixture, network, case, f"case/{case}/" if case else "")
    for case in fixture.folders("avg/"):
        yield from _compare_average(fixture, case)


def _compare_case(
    fixture: Fixture, network: Reloc3r, case: str, start: str
) -> Iterator[Comparison]:
    a, b = (network.encode(_upright(fixture, start, view)) for view in (1, 2))
    depth = network.size.decoder.depth
    states = network.decode(a, b, range(depth + 1))
    poses = network.poses(*states)
    for name in fixture.under(start):
        output, _, how = name.partition("@")
        part, _, item = output.partition("/")
        if output in ("out/pose1", "out1/pose"):
            value: Tensor | None = poses.T_b_a
        elif output in ("out/pose2", "out2/pose"):
            value = poses.T_a_b
        elif part == "inter":
            value = _intermediate(network, states, item)
        else:
            continue
        if value is not None:
            published = fixture.array(start + name)
            yield of_scale(case, output, subsampled(value, how), published, CAMERA_TOLERANCE)


def _upright(fixture: Fixture, start: str, view: int) -> Tensor:
    """The image as it stands: the published network takes portraits transposed."""
    image = images(fixture.array(f"{start}img{view}_u8")[None])
    if f"{start}true_shape{view}" not in fixture.names:
        return image
    shape = tuple(fixture.array(f"{start}true_shape{view}").ravel().tolist())
    return image if shape == tuple(image.shape[2:]) else image.transpose(2, 3).contiguous()


def _intermediate(network: Reloc3r, states: tuple, item: str) -> Tensor | None:
    """`featV`, `decV_LAYER` or `decV_last` of view V."""
    kind, _, layer = item.partition("_")
    if kind[:-1] not in ("feat", "dec"):
        return None
    last = network.size.decoder.depth
    index = 0 if kind.startswith("feat") else last if layer == "last" else int(layer)
    return states[int(kind[-1]) - 1].layers[index]


def _compare_average(fixture: Fixture, case: str) -> Iterator[Comparison]:
    start = f"avg/{case}/"
    known, relative = fixture.tensor(f"{start}poses_db"), fixture.tensor(f"{start}poses_q2d")
    found, published = averaged_pose(known, relative), fixture.tensor(f"{start}out")
    if bool(fixture.array(f"{start}signs_consistent")):
        yield of_scale(case, "avg/out", found, published.numpy(), _AVERAGING_TOLERANCE)
        return
    # Published code mixes the signs of quaternions here; ours aligns them and does no worse.
    truth = fixture.tensor(f"{start}gt")
    yield of_scale(case, "avg/centre", found[:3, 3], published[:3, 3].numpy(), _AVERAGING_TOLERANCE)
    off, published_off = (_degrees(pose, truth) for pose in (found, published))
    yield at_most(case, "avg/rotation of mixed signs, degrees", off, published_off)


def _degrees(pose: Tensor, truth: Tensor) -> float:
    away = pose[:3, :3].mT @ truth[:3, :3] - torch.eye(3, dtype=truth.dtype)
    return float(torch.rad2deg(2 * (away.norm() / 8**0.5).clamp(max=1).asin()))
