# SPDX-License-Identifier: Apache-2.0
"""Networks of one image behind the hybrid engine: wrong units or unknown pixels would bend maps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.monocular import MonocularNetwork
from dens3r_ros.engines.single_view import SingleView
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network import build_network
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingDescription,
    DepthAnythingNetwork,
)
from dens3r_ros.network.multiview.description import DenseSize
from dens3r_ros.network.parts.dinov2 import DinoSize

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "multiview"


def frame(focal: float | None = None) -> Frame:
    image = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    known = None if focal is None else Intrinsics(focal, focal, 39.5, 29.5, 80, 60)
    return Frame(image, 1, intrinsics=known)


def depth_anything(metric: bool) -> SingleView:
    torch.manual_seed(1)
    description = DepthAnythingDescription(
        encoder=DinoSize(64, 4, 4, 128, norm_epsilon=1e-5),
        head=DenseSize((8, 12, 16, 24), 8),
        hooks=(0, 1, 2, 3),
        metric=metric,
    )
    network = DepthAnythingNetwork(description)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn_like(parameter))
    return SingleView(network, "cpu", "fp32")


def moge(name: str) -> SingleView:
    path = FIXTURES / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"no fixtures of published networks in {FIXTURES}")
    arrays = np.load(path)
    keys = [key for key in arrays.files if key.startswith("sd/")]
    tensors = {key.removeprefix("sd/"): torch.from_numpy(arrays[key]) for key in keys}
    stored = json.loads(str(arrays["config_json"]))
    config = stored["model_config"] | {"enc_num_heads": stored["enc_heads"]}
    return SingleView(build_network(tensors, config, name), "cpu", "fp32")


def test_metres_follow_the_focal_length() -> None:
    network = depth_anything(metric=True)
    assert isinstance(network, MonocularNetwork) and network.info.metric
    near, far = network.predict(frame(50.0)), network.predict(frame(100.0))
    assert np.allclose(far.depth, 2 * near.depth, rtol=1e-4)
    assert near.intrinsics is not None and near.depth.shape == near.placement.size


def test_of_an_unknown_camera_the_usual_view_is_assumed_and_that_is_said_once(caplog) -> None:
    """Else every image would be a fault, or lengths would be called metres that are none."""
    network = depth_anything(metric=True)
    bare = network.predict(frame())
    network.predict(frame())
    usual = network.predict(frame(40 / np.tan(np.radians(30))))
    assert np.allclose(bare.depth, usual.depth, rtol=0.02) and bare.intrinsics is None
    assert len(caplog.records) == 1 and "camera_info" in caplog.text


def test_depth_without_a_unit_needs_no_camera() -> None:
    found = depth_anything(metric=False).predict(frame())
    assert (found.depth > 0).all() and found.intrinsics is None


@pytest.mark.parametrize("name", ["moge1_small", "moge2_small"])
def test_moge_gives_a_camera_where_none_is_known(name: str) -> None:
    network = moge(name)
    found = network.predict(frame())
    assert found.intrinsics is not None and found.intrinsics.fx > 0
    assert np.isfinite(found.depth).all() and (found.depth > 0).all()
    assert (found.normals is not None) == network.info.normals
    known = replace(frame(), intrinsics=Intrinsics(70.0, 70.0, 39.5, 29.5, 80, 60))
    told = network.predict(known).intrinsics
    assert told is not None and told.fx == pytest.approx(70.0 * told.width / 80)
