# SPDX-License-Identifier: Apache-2.0
"""If these fail, VGGT gives other cameras, depth or points than where it was trained."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from published_views import ABSENT, FIXTURES, Published, cases_of, error, thinned

from dens3r_ros.network.multiview.pose_encoding import invert

SMALL = "vggt_small"
NAMES = {
    "depth_conf": "confidence",
    "world_points": "points",
    "world_points_conf": "points_confidence",
    "pose_enc": "pose_encoding",
    "intrinsics": "intrinsics",
}
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


@pytest.mark.parametrize(("name", "case"), cases_of(SMALL))
def test_outputs(published: Callable[[str], Published], name: str, case: str) -> None:
    fixture = published(name)
    guesses: list[torch.Tensor] = []
    head = fixture.network.camera_head
    handle = head.register_forward_pre_hook(
        lambda module, inputs: guesses.extend(module.guesses(*inputs))
    )
    with torch.inference_mode():
        prediction = fixture.network(fixture.images(case))
    handle.remove()
    errors = {}
    for key, (reference, how) in fixture.references(case).items():
        if key.startswith("pose_enc_iter"):
            value = guesses[int(key[-1])][0]
        elif key == "extrinsics":
            value = invert(prediction.T_world_camera)[0, :, :3]
        elif key == "depth":
            value = prediction.depth[0, ..., None]
        else:
            value = getattr(prediction, NAMES[key])[0]
        errors[key] = error(thinned(value, how), reference)
    print(case, {key: f"{value:.1e}" for key, value in errors.items()})
    assert errors.keys() >= {"depth", "world_points", "pose_enc_iter3", "extrinsics"}
    assert max(errors.values()) <= TOLERANCE, errors


def test_camera_head_feeds_back_what_is_not_yet_positive(
    published: Callable[[str], Published],
) -> None:
    fixture = published(SMALL)
    head = copy.deepcopy(fixture.network.camera_head)
    head.correction.fc2.weight.copy_(fixture.array("camhead/fc2_weight"))
    head.correction.fc2.bias.copy_(fixture.array("camhead/fc2_bias"))
    found = head.guesses(fixture.array("camhead/tokens")[None])
    for index, guess in enumerate(found):
        assert error(guess[0], fixture.array(f"camhead/pose_enc_iter{index}")) <= TOLERANCE


@pytest.mark.parametrize("case", ["two_land", "four_port"])
def test_tokens_on_the_way(published: Callable[[str], Published], case: str) -> None:
    fixture = published(SMALL)
    network = fixture.network
    stored = fixture.references(case, "inter")
    images = fixture.images(case)[0]
    with torch.inference_mode():
        tokens = network.encode(images)
        views = tokens.split()
        first = network.backbone.tokens([view.data for view in views])[0]
        layers = network.backbone.decode(views)
    assert error(tokens.data, stored["dino_patchtokens"][0]) <= TOLERANCE
    assert error(first, stored["tokens0"][0]) <= TOLERANCE
    assert error(layers[5][0], stored["agg5"][0]) <= TOLERANCE
