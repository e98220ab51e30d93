# SPDX-License-Identifier: Apache-2.0
"""If these fail, two images alone give a scene that does not fit together."""

import pytest
import torch

from dens3r_ros.geometry.pair_scene import DirectedPair, scene_from_pair


@pytest.fixture
def pair(published):
    arrays = published("pairviewer.npz")
    directions = {}
    for k, (first, _) in enumerate(arrays["edges"].tolist()):
        maps = (arrays[name][k] for name in ("pts1", "pts2", "conf1", "conf2"))
        directions[first] = DirectedPair(*maps)
    return directions[0], directions[1], arrays


def test_views_exchanged_exchange_the_scene(pair):
    forth, back, _ = pair
    scene, exchanged = scene_from_pair(forth, back), scene_from_pair(back, forth)
    assert torch.equal(scene.T_world_camera.flip(0), exchanged.T_world_camera)
    assert torch.equal(scene.points[1], exchanged.points[0])
    assert scene.intrinsics == exchanged.intrinsics[::-1]


def test_says_when_nothing_is_confident_enough(pair):
    forth, back, _ = pair
    with pytest.raises(ValueError, match="of 4800 pixels 0 are more confident than 1e"):
        scene_from_pair(forth, back, least_confidence=1e9)
