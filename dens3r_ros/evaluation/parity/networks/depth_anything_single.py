# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 for one image, relative or metric, and metres for a scene of many views."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from dens3r_ros.evaluation.parity.comparison import Comparison, not_compared, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture, subsampled
from dens3r_ros.evaluation.parity.networks.loading import loaded_multiview
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingNetwork,
    DepthPrediction,
    metres,
)
from dens3r_ros.network.multiview.metric_scale import in_metres
from dens3r_ros.network.multiview.prediction import ViewsPrediction

NAME = "Depth Anything 3, one image"


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds such a network, or names one by its recipe."""
    kind, model = fixture.config.get("kind"), str(fixture.config.get("model", ""))
    recipe = kind == "da3_fullsize_recipe" and ("mono" in model or "metric" in model)
    return kind == "da3_mono_or_metric" or recipe


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Depth and sky of every case; the scale of a scene of many views."""
    network = loaded_multiview(fixture, DepthAnythingNetwork)
    for case in fixture.config["cases"]:
        start = f"case/{case}/"
        images = fixture.tensor(f"{start}img_u8").permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            found = network(images)
        for name in fixture.under(f"{start}out/"):
            output, _, how = name.partition("@")
            value, published = getattr(found, output, None), fixture.array(f"{start}out/{name}")
            if value is None:
                yield not_compared(case, f"out/{output}", "our network gives no such output")
            else:
                yield of_scale(case, f"out/{output}", subsampled(value, how), published)
    if fixture.under("nested/out/"):
        yield from _compare_nested(fixture)


def _compare_nested(fixture: Fixture) -> Iterator[Comparison]:
    given = {name: fixture.tensor(f"nested/in/{name}") for name in fixture.under("nested/in/")}
    # Any numbers stand for the cameras, whose rotations need not be orthogonal.
    extrinsics = torch.eye(4).double().repeat(len(given["depth"]), 1, 1)
    extrinsics[:, :3] = given["extrinsics"]
    views = ViewsPrediction(
        depth=given["depth"][None],
        confidence=given["depth_conf"][None],
        T_world_camera=torch.linalg.inv(extrinsics)[None],
        intrinsics=given["intrinsics"][None],
    )
    raw, sky = given["metric_raw"], given["sky"]
    found = in_metres(views, DepthPrediction(raw, sky, raw))
    scaled = found.views
    assert scaled.depth is not None and scaled.confidence is not None
    assert scaled.T_world_camera is not None
    focal = given["intrinsics"][:, [0, 1], [0, 1]].mean(dim=-1)
    ours = {
        "metric_scaled": metres(raw, focal),
        "scale_factor": found.scale,
        "depth": scaled.depth[0],
        "depth_conf": scaled.confidence[0],
        "extrinsics": torch.linalg.inv(scaled.T_world_camera[0])[:, :3],
    }
    for name in fixture.under("nested/out/"):
        published = fixture.array(f"nested/out/{name}")
        if name in ours:
            yield of_scale("nested", f"nested/{name}", ours[name], published)
        else:
            yield not_compared("nested", f"nested/{name}", "an output that is not known here")
