# SPDX-License-Identifier: Apache-2.0
"""If these fail, Depth Anything 3 gives other depth, cameras or rays than where it was trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from published_views import ABSENT, FIXTURES, Published, cases_of, error, thinned

from dens3r_ros.network.multiview.camera_parts import Cameras
from dens3r_ros.network.multiview.pose_encoding import invert
from dens3r_ros.network.multiview.prediction import ViewsPrediction

SMALL = "da3_small"
FULL_SIZE = ("da3_small_fullsize_recipe_s11", "da3_base_fullsize_recipe_s12")
NAMES = {
    "depth": "depth",
    "depth_conf": "confidence",
    "ray": "rays",
    "ray_conf": "rays_confidence",
    "pose_enc": "pose_encoding",
    "intrinsics": "intrinsics",
}
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


def predict(fixture: Published, case: str) -> ViewsPrediction:
    facts = fixture.config["cases"][case]
    cameras = None
    if facts.get("cond"):
        T_camera_world = fixture.array(f"case/{case}/in_extrinsics")[None]
        intrinsics = fixture.array(f"case/{case}/in_intrinsics")[None]
        cameras = Cameras(torch.linalg.inv(T_camera_world), intrinsics)
    with torch.inference_mode():
        return fixture.network(
            fixture.images(case),
            cameras=cameras,
            reference=facts.get("strategy", "saddle_balanced"),
        )


def check_outputs(fixture: Published, case: str) -> None:
    prediction = predict(fixture, case)
    errors = {}
    for key, (reference, how) in fixture.references(case).items():
        if key == "cam_token":
            continue
        if key == "extrinsics":
            value = invert(prediction.T_world_camera)[0, :, :3]
        else:
            value = getattr(prediction, NAMES[key])[0]
        errors[key] = error(thinned(value, how), reference)
    print(case, {key: f"{value:.1e}" for key, value in errors.items()})
    assert errors.keys() >= {"depth", "depth_conf", "ray", "pose_enc", "extrinsics"}
    assert max(errors.values()) <= TOLERANCE, errors


@pytest.mark.parametrize(("name", "case"), cases_of(SMALL))
def test_outputs(published: Callable[[str], Published], name: str, case: str) -> None:
    check_outputs(published(name), case)


@pytest.mark.fullsize
@pytest.mark.parametrize(("name", "case"), cases_of(*FULL_SIZE))
def test_outputs_at_full_size(published: Callable[[str], Published], name: str, case: str) -> None:
    check_outputs(published(name), case)
