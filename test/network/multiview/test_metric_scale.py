# SPDX-License-Identifier: Apache-2.0
"""If these fail, scenes are called metric at a wrong scale."""

from __future__ import annotations

import pytest
import torch
from published_views import ABSENT, FIXTURES, arrays_of, error

from dens3r_ros.network.monocular.depth_anything import DepthPrediction
from dens3r_ros.network.multiview.metric_scale import in_metres
from dens3r_ros.network.multiview.prediction import ViewsPrediction

TOLERANCE = 1e-4


def scene(depth: torch.Tensor, focal: float = 150.0) -> ViewsPrediction:
    views = len(depth)
    T_world_camera = torch.eye(4).repeat(1, views, 1, 1)
    T_world_camera[..., 0, 3] = 2.0
    intrinsics = torch.diag(torch.tensor([focal, focal, 1.0])).repeat(1, views, 1, 1)
    confidence = torch.rand(depth.shape) + 1
    return ViewsPrediction(
        depth=depth[None],
        confidence=confidence[None],
        T_world_camera=T_world_camera,
        intrinsics=intrinsics,
    )


@pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)
def test_published_scale() -> None:
    arrays, _ = arrays_of("da3_metric_or_mono_small")
    given = {k.rpartition("/")[2]: torch.from_numpy(arrays[k]) for k in arrays if "nested/in" in k}
    expected = {k.rpartition("/")[2]: torch.from_numpy(arrays[k]) for k in arrays if "ted/out" in k}
    T_camera_world = torch.eye(4).repeat(2, 1, 1)
    T_camera_world[:, :3] = given["extrinsics"]
    views = ViewsPrediction(
        depth=given["depth"][None],
        confidence=given["depth_conf"][None],
        T_world_camera=torch.linalg.inv(T_camera_world)[None],
        intrinsics=given["intrinsics"][None],
    )
    metric = DepthPrediction(given["metric_raw"], given["sky"], given["metric_raw"])
    found = in_metres(views, metric)
    assert error(found.scale, expected["scale_factor"]) <= TOLERANCE
    assert error(found.views.depth[0], expected["depth"]) <= TOLERANCE
    assert error(found.views.confidence[0], expected["depth_conf"]) <= TOLERANCE
    # The fixture's numbers are random: not those of rigid transforms.
    extrinsics = torch.linalg.inv(found.views.T_world_camera)[0, :, :3]
    assert error(extrinsics, expected["extrinsics"]) <= TOLERANCE


def test_scale_of_a_scene_that_is_known() -> None:
    depth = 1 + torch.rand(2, 20, 30)
    sky = torch.zeros_like(depth)
    # Metres are depth times focal length over 300: here half of it.
    found = in_metres(scene(depth), DepthPrediction(6 * depth, sky, depth))
    assert found.scale.item() == pytest.approx(3.0)
    torch.testing.assert_close(found.views.depth[0], 3 * depth)
    assert found.views.T_world_camera[0, 0, 0, 3].item() == pytest.approx(6.0)


def test_sky_is_far_and_unsure() -> None:
    depth = 1 + torch.rand(1, 20, 30)
    sky = torch.zeros_like(depth)
    sky[0, :5] = 1.0
    found = in_metres(scene(depth), DepthPrediction(6 * depth, sky, depth)).views
    assert found.depth[0, 0, :5].min() >= torch.quantile(3 * depth[0, 5:], 0.98)
    assert found.confidence[0, 0, :5].eq(1).all()
    assert found.confidence[0, 0, 5:].gt(1).all()


def test_a_scene_of_sky_tells_no_scale() -> None:
    depth = torch.ones(1, 4, 4)
    with pytest.raises(ValueError, match="no pixel tells the scale"):
        in_metres(scene(depth), DepthPrediction(depth, torch.ones_like(depth), depth))
