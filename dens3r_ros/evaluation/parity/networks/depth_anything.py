# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 for any number of views: maps, cameras, the reference, rays to cameras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.algorithms.input_sizes import compare_depth_anything_sizes
from dens3r_ros.evaluation.parity.comparison import (
    CAMERA_TOLERANCE,
    Comparison,
    not_compared,
    of_scale,
)
from dens3r_ros.evaluation.parity.fixture import Fixture, subsampled
from dens3r_ros.evaluation.parity.networks.loading import loaded_multiview
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.camera_parts import Cameras, normalise_poses
from dens3r_ros.network.multiview.pose_encoding import invert
from dens3r_ros.network.multiview.ray_pose import cameras_from_rays
from dens3r_ros.network.multiview.reference import choose_reference
from dens3r_ros.network.parts.dinov2 import normalise

NAME = "Depth Anything 3, any number of views"
_DEFAULT_RULE = "saddle_balanced"
# Its two best views are an exact tie, which rounding decides.
_TIED_RULE = "saddle_sim_range"


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds such a network, or names one by its recipe."""
    config = fixture.config
    model = str(config.get("model", ""))
    recipe = config.get("kind") == "da3_fullsize_recipe"
    single = "mono" in model or "metric" in model
    return config.get("kind") == "da3_anyview" or (recipe and not single)


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every case; cameras fitted to rays; images brought to a size."""
    network = loaded_multiview(fixture, AnyViewNetwork)
    for case, told in fixture.config["cases"].items():
        with torch.inference_mode():
            yield from _compare_case(fixture, network, case, told)
    for case in fixture.folders("raypose/"):
        yield from _compare_rays(fixture, case)
    yield from compare_depth_anything_sizes(fixture)


def _compare_case(
    fixture: Fixture, network: AnyViewNetwork, case: str, told: Mapping[str, Any]
) -> Iterator[Comparison]:
    start = f"case/{case}/"
    images = fixture.tensor(f"{start}img_u8").permute(0, 3, 1, 2).float() / 255
    rule = told.get("strategy", _DEFAULT_RULE)
    cameras = _known_cameras(fixture, start)
    found = network(images[None], cameras=cameras, reference=rule)
    assert found.T_world_camera is not None
    ours: dict[str, Tensor | None] = {
        "depth": found.depth,
        "depth_conf": found.confidence,
        "ray": found.rays,
        "ray_conf": found.rays_confidence,
        "pose_enc": found.pose_encoding,
        "extrinsics": invert(found.T_world_camera)[..., :3, :],
        "intrinsics": found.intrinsics,
    }
    if cameras is not None and network.camera_encoder is not None:
        size = (images.shape[2], images.shape[3])
        ours["cam_token"] = network.camera_encoder(cameras, size)
        normalised = invert(normalise_poses(cameras.T_world_camera))[0]
        published = fixture.array(f"{start}extrinsics_normalised")
        yield of_scale(case, "extrinsics_normalised", normalised, published, CAMERA_TOLERANCE)
    for name in fixture.under(f"{start}out/"):
        output, _, how = name.partition("@")
        value, published = ours.get(output), fixture.array(f"{start}out/{name}")
        if value is None:
            yield not_compared(case, f"out/{output}", "our network gives no such output")
        else:
            yield of_scale(case, f"out/{output}", subsampled(value[0], how), published)
    if f"{start}x" in fixture.names:
        yield of_scale(case, "x", normalise(images), fixture.array(f"{start}x"))
    if "ref_index" in told and cameras is None:
        yield from _compare_reference(network, images, case, told["ref_index"])


def _known_cameras(fixture: Fixture, start: str) -> Cameras | None:
    if f"{start}in_extrinsics" not in fixture.names:
        return None
    poses = torch.linalg.inv(fixture.tensor(f"{start}in_extrinsics").double()).float()
    return Cameras(poses[None], fixture.tensor(f"{start}in_intrinsics")[None])


def _compare_reference(
    network: AnyViewNetwork, images: Tensor, case: str, told: int | Mapping[str, int]
) -> Iterator[Comparison]:
    summaries = network.encode(images).summary[None]
    by_rule = told if isinstance(told, Mapping) else {_DEFAULT_RULE: told}
    for rule, published in by_rule.items():
        found = int(choose_reference(summaries, rule)[0])  # type: ignore[arg-type]
        allowed = _tied_views(summaries[0]) if rule == _TIED_RULE else {published}
        differs = found not in allowed or published not in allowed
        yield Comparison(case, f"ref_index {rule}", float(differs), 0.0, "views")


def _tied_views(summaries: Tensor) -> set[int]:
    """The two views that are most alike."""
    unit = torch.nn.functional.normalize(summaries.double(), dim=-1)
    alike = unit @ unit.T - 2 * torch.eye(len(unit), dtype=unit.dtype)
    return set(divmod(int(alike.argmax()), len(unit)))


def _compare_rays(fixture: Fixture, case: str) -> Iterator[Comparison]:
    start = f"raypose/{case}/"
    rays, confidence = fixture.tensor(f"{start}ray"), fixture.tensor(f"{start}ray_conf")
    samples = fixture.tensor(f"{start}sample_idx")
    # Half units of the image are pixels of one of two by two.
    found = cameras_from_rays(rays, confidence, (2, 2), samples)
    ours = {
        "c2w": found.T_world_camera,
        "w2c": invert(found.T_world_camera)[:, :3],
        "focal_half_units": found.intrinsics[:, [0, 1], [0, 1]],
        "pp_half_units": found.intrinsics[:, :2, 2],
    }
    for name, value in ours.items():
        published = fixture.array(start + name)
        yield of_scale(case, f"raypose/{name}", value, published, CAMERA_TOLERANCE)
