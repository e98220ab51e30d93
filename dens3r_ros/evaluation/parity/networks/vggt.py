# SPDX-License-Identifier: Apache-2.0
"""VGGT: cameras, depth, points, the camera head by itself, and cameras as numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.algorithms.input_sizes import compare_vggt_sizes
from dens3r_ros.evaluation.parity.comparison import (
    CAMERA_TOLERANCE,
    Comparison,
    not_compared,
    of_scale,
)
from dens3r_ros.evaluation.parity.fixture import Fixture, subsampled
from dens3r_ros.evaluation.parity.networks.loading import loaded_multiview
from dens3r_ros.network.multiview.pose_encoding import (
    decode_intrinsics,
    decode_poses,
    encode_cameras,
    invert,
)
from dens3r_ros.network.multiview.vggt.network import VggtNetwork

NAME = "VGGT"
_ITERATION = "pose_enc_iter"


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds a VGGT."""
    return fixture.config.get("kind") == "vggt"


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every case, the parts by themselves, and images brought to a size."""
    network = loaded_multiview(fixture, VggtNetwork)
    with torch.inference_mode():
        for case in fixture.config["cases"]:
            yield from _compare_case(fixture, network, case)
        if fixture.under("camhead/"):
            yield from _compare_camera_head(fixture, network)
    if fixture.under("posecode/"):
        yield from _compare_pose_code(fixture)
    yield from compare_vggt_sizes(fixture)


def _compare_case(fixture: Fixture, network: VggtNetwork, case: str) -> Iterator[Comparison]:
    start = f"case/{case}/"
    images = fixture.tensor(f"{start}img_u8").permute(0, 3, 1, 2).float() / 255
    guesses: list[Tensor] = []
    handle = network.camera_head.register_forward_pre_hook(
        lambda head, inputs: guesses.extend(head.guesses(*inputs))
    )
    found = network(images[None])
    handle.remove()
    assert found.T_world_camera is not None and found.depth is not None
    ours: dict[str, Tensor | None] = {
        "pose_enc": found.pose_encoding,
        "depth": found.depth[..., None],
        "depth_conf": found.confidence,
        "world_points": found.points,
        "world_points_conf": found.points_confidence,
        "extrinsics": invert(found.T_world_camera)[..., :3, :],
        "intrinsics": found.intrinsics,
    }
    ours |= {f"{_ITERATION}{number}": guess for number, guess in enumerate(guesses)}
    for name in fixture.under(f"{start}out/"):
        output, _, how = name.partition("@")
        value, published = ours.get(output), fixture.array(f"{start}out/{name}")
        if value is None:
            yield not_compared(case, f"out/{output}", "our network gives no such output")
        else:
            yield of_scale(case, f"out/{output}", subsampled(value[0], how), published)


def _compare_camera_head(fixture: Fixture, network: VggtNetwork) -> Iterator[Comparison]:
    """With a last layer that gives fields of view of both signs."""
    head = copy.deepcopy(network.camera_head)
    head.correction.fc2.weight.copy_(fixture.tensor("camhead/fc2_weight"))
    head.correction.fc2.bias.copy_(fixture.tensor("camhead/fc2_bias"))
    for number, guess in enumerate(head.guesses(fixture.tensor("camhead/tokens")[None])):
        published = fixture.array(f"camhead/{_ITERATION}{number}")
        yield of_scale("", f"camhead/{_ITERATION}{number}", guess[0], published)


def _compare_pose_code(fixture: Fixture) -> Iterator[Comparison]:
    height, width = fixture.array("posecode/hw").tolist()
    extrinsics = fixture.tensor("posecode/extrinsics")
    poses = torch.eye(4).repeat(len(extrinsics), 1, 1)
    poses[:, :3] = extrinsics
    pinholes = fixture.tensor("posecode/intrinsics")
    encoding = fixture.tensor("posecode/encoding")
    ours = {
        "encoding": encode_cameras(poses, pinholes, (height, width)),
        "extrinsics_back": decode_poses(encoding)[:, :3],
        "intrinsics_back": decode_intrinsics(encoding, (height, width)),
    }
    for name, value in ours.items():
        published = fixture.array(f"posecode/{name}")
        yield of_scale("", f"posecode/{name}", value, published, CAMERA_TOLERANCE)
