# SPDX-License-Identifier: Apache-2.0
"""If these fail, attention that is gathered as images come says something else than all at once."""

from __future__ import annotations

import torch
from networks import small_network

from dens3r_ros.network.attention.clusters import look_alike
from dens3r_ros.network.attention.motion import LookedAt, motion_maps, smoothed
from dens3r_ros.network.attention.watching import watched_decode


def test_watching_changes_nothing_of_what_a_network_decodes() -> None:
    network = small_network()
    tokens = [network.encode(torch.rand(2, 3, 96, 128) * 2 - 1) for _ in range(2)]
    watched, plain = watched_decode(network, *tokens), network.decode(*tokens)
    for ours, theirs in zip(watched.states, plain, strict=True):
        assert ours.layers.keys() == theirs.layers.keys()
        for layer, state in theirs.layers.items():
            torch.testing.assert_close(ours.layers[layer], state, rtol=1e-4, atol=1e-4)
    assert watched.of_a.shape == (2, 6, 8, 3 * 3)


def test_images_settled_one_by_one_give_the_maps_of_all_at_once() -> None:
    torch.manual_seed(1)
    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    of_a, of_b = ({pair: torch.randn(4, 6, 9) for pair in pairs} for _ in range(2))
    looked = LookedAt()
    for image in range(5):
        for pair in pairs:
            if max(pair) == image:
                looked.add(pair, of_a[pair], of_b[pair])
    for image in range(5):
        looked.settle(image)
    expected = motion_maps(of_a, of_b, 5)["motion"]
    torch.testing.assert_close(torch.stack(looked.motion()), expected)


def test_patches_that_look_alike_share_what_they_say() -> None:
    torch.manual_seed(1)
    kinds = torch.randint(0, 3, (2, 4, 6))
    tokens = 10 * torch.eye(3)[kinds] + 0.01 * torch.randn(2, 4, 6, 3)
    labels = look_alike(list(tokens.half()), 3)
    for kind in range(3):
        assert len(torch.stack(labels)[kinds == kind].unique()) == 1
    motion = smoothed(list(torch.rand(2, 4, 6)), labels)
    assert len(motion[0][kinds[0] == 1].unique()) == 1
