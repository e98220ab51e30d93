# SPDX-License-Identifier: Apache-2.0
"""If these fail, an engine that keeps encoded views gets other geometry than from whole scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
from small_checkpoints import any_view, vggt

from dens3r_ros.network import build_network
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.camera_parts import Cameras
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.network.multiview.vggt.network import VggtNetwork

Network = AnyViewNetwork | VggtNetwork
HEIGHT, WIDTH = 28, 42


@pytest.fixture(scope="module", params=[any_view, vggt], ids=["da3", "vggt"])
def network(request: pytest.FixtureRequest) -> Network:
    return build_network(request.param())


@pytest.fixture(scope="module")
def da3() -> AnyViewNetwork:
    return build_network(any_view())


def images(scenes: int, views: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(scenes, views, 3, HEIGHT, WIDTH, generator=generator)


def look(network: Network, scene: torch.Tensor, **options: object) -> ViewsPrediction:
    with torch.inference_mode():
        return network(scene, **options)


def assert_equal(found: ViewsPrediction, expected: ViewsPrediction, index: slice) -> None:
    compared = 0
    for field in fields(found):
        value, other = getattr(found, field.name), getattr(expected, field.name)
        if value is None or field.name == "reference":
            continue
        torch.testing.assert_close(value, other[index], atol=1e-4, rtol=1e-4)
        compared += 1
    assert compared >= 5


def test_what_comes_out(network: Network) -> None:
    found = look(network, images(2, 3))
    assert found.depth.shape == found.confidence.shape == (2, 3, HEIGHT, WIDTH)
    assert found.T_world_camera.shape == (2, 3, 4, 4)
    assert found.intrinsics.shape == (2, 3, 3, 3)
    assert (found.depth > 0).all() and (found.confidence >= 1).all()
    torch.testing.assert_close(found.intrinsics[..., 0, 2], torch.full((2, 3), WIDTH / 2))
    if isinstance(network, AnyViewNetwork):
        assert found.rays.shape == (2, 3, 16, 24, 6)
        assert found.rays_confidence.shape == (2, 3, 16, 24)
    else:
        assert found.points.shape == (2, 3, HEIGHT, WIDTH, 3)
        assert found.points_confidence.shape == (2, 3, HEIGHT, WIDTH)


def test_views_encoded_together_or_alone(network: Network) -> None:
    scene = images(1, 4)
    with torch.inference_mode():
        together = network.encode(scene[0]).split()
        alone = [network.encode(view) for view in scene.unbind(1)]
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a.data, b.data, atol=1e-5, rtol=1e-5)
        found = network.decode(together, network.info.outputs)
    assert_equal(found, look(network, scene), slice(None))


def test_scenes_of_a_batch_know_nothing_of_each_other(network: Network) -> None:
    both = look(network, images(2, 4))
    for scene in range(2):
        part = slice(scene, scene + 1)
        assert_equal(look(network, images(2, 4)[part]), both, part)


def test_views_know_of_each_other(network: Network) -> None:
    scene = images(1, 2)
    alone, both = look(network, scene[:, :1]), look(network, scene)
    assert not torch.allclose(alone.depth[:, 0], both.depth[:, 0], rtol=1e-3)


def test_views_stay_in_their_order(da3: AnyViewNetwork) -> None:
    """Whichever is the reference, and wherever it stands."""
    scene = images(1, 4)
    expected = look(da3, scene, reference=2)
    swapped = look(da3, scene[:, [2, 0, 1, 3]], reference="first")
    assert expected.reference.tolist() == [2]
    for name in ("depth", "rays", "T_world_camera"):
        found = getattr(swapped, name)[:, [1, 2, 0, 3]]
        torch.testing.assert_close(getattr(expected, name), found, atol=1e-4, rtol=1e-4)
    other = look(da3, scene, reference=0)
    assert not torch.allclose(other.depth, expected.depth, rtol=1e-3)


def test_maps_of_some_views_only(network: Network) -> None:
    """What a new frame beside kept ones needs, with the reference anywhere among them."""
    scenes = images(2, 4)
    views = [network.encode(view) for view in scenes.unbind(1)]
    for options in ({}, {"reference": 2} if isinstance(network, AnyViewNetwork) else {}):
        everything = network.decode(views, network.info.outputs, **options)
        some = network.decode(views, network.info.outputs, maps_of=(3, 1), **options)
        torch.testing.assert_close(some.depth, everything.depth[:, [3, 1]])
        torch.testing.assert_close(some.confidence, everything.confidence[:, [3, 1]])
        torch.testing.assert_close(some.T_world_camera, everything.T_world_camera)
    with pytest.raises(ValueError, match="there are 0 to 3"):
        network.decode(views, maps_of=(4,))


def test_more_views_than_heads_take_at_once(network: Network) -> None:
    found = look(network, images(1, 11))
    assert found.depth.shape == (1, 11, HEIGHT, WIDTH)
    assert found.depth.flatten(2).std(dim=2).min() > 0


@pytest.mark.parametrize(
    ("outputs", "idle"),
    [
        (("cameras",), ("depth_head", "rays_head", "points_head")),
        (("depth",), ("camera_decoder", "camera_head", "rays_head", "points_head")),
        (("depth", "cameras"), ("rays_head", "points_head")),
    ],
)
def test_heads_that_nobody_reads_do_not_run(
    network: Network, outputs: tuple[str, ...], idle: tuple[str, ...]
) -> None:
    def fail(module: torch.nn.Module, inputs: object) -> None:
        raise AssertionError(f"{type(module).__name__} ran for {outputs}")

    heads = [getattr(network, name) for name in idle if hasattr(network, name)]
    inner = [module for head in heads for module in head.modules()]
    handles = [module.register_forward_pre_hook(fail) for module in inner]
    found = look(network, images(1, 2), outputs=outputs)
    for handle in handles:
        handle.remove()
    assert (found.depth is None) == ("depth" not in outputs)
    assert (found.T_world_camera is None) == ("cameras" not in outputs)
    assert found.rays is None and found.points is None


def test_given_cameras_are_heeded(da3: AnyViewNetwork) -> None:
    scene = images(1, 3)
    T_world_camera = torch.eye(4).repeat(1, 3, 1, 1)
    T_world_camera[0, :, 0, 3] = torch.tensor([0.0, 1.0, 2.0])
    intrinsics = torch.tensor([[40.0, 0, 21], [0, 40, 14], [0, 0, 1]]).repeat(1, 3, 1, 1)
    told = look(da3, scene, cameras=Cameras(T_world_camera, intrinsics))
    assert told.reference is None
    further = T_world_camera.clone()
    further[0, 2, 2, 3] = 3.0
    otherwise = look(da3, scene, cameras=Cameras(further, intrinsics))
    assert not torch.allclose(told.depth, otherwise.depth, rtol=1e-3)


def test_a_network_without_camera_encoder_says_so() -> None:
    network = build_network(any_view(camera_encoder=False))
    cameras = Cameras(torch.eye(4).repeat(1, 2, 1, 1), torch.eye(3).repeat(1, 2, 1, 1))
    with pytest.raises(ValueError, match="cannot be told cameras"):
        network(images(1, 2), cameras=cameras)


def wrong_size(network: Network) -> None:
    network.encode(torch.zeros(1, 3, 28, 40))


def two_sizes(network: Network) -> None:
    network.decode([network.encode(torch.zeros(1, 3, 28, side)) for side in (28, 42)])


def no_views(network: Network) -> None:
    network.decode([])


def unknown_output(network: Network) -> None:
    network.decode([network.encode(torch.zeros(1, 3, 28, 28))], ("depth", "normals"))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (wrong_size, "image size 40x28 is no multiple of 14"),
        (two_sizes, "one size, not 2 x 2, 3 x 2 patches"),
        (no_views, "there are no views"),
        (unknown_output, "normals was asked for"),
    ],
)
def test_mistakes_get_a_sentence(
    network: Network, mistake: Callable[[Network], None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mistake(network)


@pytest.mark.parametrize("reference", [3, -1, "last"])
def test_a_reference_that_does_not_exist(da3: AnyViewNetwork, reference: int | str) -> None:
    with pytest.raises(ValueError, match=r"no view|no rule"):
        look(da3, images(1, 3), reference=reference)


def test_networks_can_learn(network: Network) -> None:
    """Gradients reach every parameter that outputs depend on."""
    learner = build_network(any_view() if isinstance(network, AnyViewNetwork) else vggt())
    learner.requires_grad_(True).train()
    found = learner(images(1, 3))
    maps = (found.depth, found.confidence, found.T_world_camera, found.intrinsics, found.rays)
    maps += (found.rays_confidence, found.points, found.points_confidence)
    sum(value.square().mean() for value in maps if value is not None).backward()
    without = {name for name, parameter in learner.named_parameters() if parameter.grad is None}
    assert all("camera_encoder" in name for name in without), without
