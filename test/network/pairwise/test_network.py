# SPDX-License-Identifier: Apache-2.0
"""If these fail, batches, stages, odd sizes or training give other numbers than whole pairs do."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from dens3r_ros.network import (
    DescriptorSize,
    DptSize,
    Network,
    NetworkDescription,
    PairPrediction,
    TransformerSize,
)

SMALL = NetworkDescription(
    family="dens3r",
    encoder=TransformerSize(48, 2, 3, 96),
    decoder=TransformerSize(32, 4, 2, 64),
    patch=8,
    rope_grid=8,
    shared_decoder=True,
    dpt=DptSize(16, 8, (8, 8, 16, 16)),
    hooks=(0, 1, 2, 4),
    descriptors=DescriptorSize(8, 32),
    normals=True,
    licence="Apache-2.0",
)
PATCH_16 = replace(SMALL, patch=16)
TWO_DECODERS = replace(SMALL, shared_decoder=False)
LINEAR = replace(SMALL, head="linear")
DESCRIPTIONS = {
    "small": SMALL,
    "patch 16": PATCH_16,
    "two decoders": TWO_DECODERS,
    "linear": LINEAR,
    "plain rope": replace(SMALL, rope_grid=None),
}


def made(description: NetworkDescription) -> Network:
    torch.manual_seed(0)
    return Network(description).eval()


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(shape[0], 3, *shape[1:], generator=generator) - 1


def assert_close(one: PairPrediction, other: PairPrediction, part: slice = slice(None)) -> None:
    for name, value in vars(one).items():
        if value is not None:
            scale = float(value.abs().max())
            error = float((value[part] - getattr(other, name)).abs().max())
            assert error <= 1e-4 * scale, name


@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
@torch.inference_mode()
def test_shapes_at_odd_and_unequal_sizes(description: NetworkDescription) -> None:
    network = made(description)
    prediction = network(images(1, 48, 80), images(1, 80, 112))
    assert prediction.points_a.shape == (1, 48, 80, 3)
    assert prediction.confidence_b.shape == (1, 80, 112)
    assert prediction.normals_b.shape == (1, 80, 112, 3)
    assert prediction.descriptors_a.shape == (1, 48, 80, 8)
    assert prediction.descriptor_confidence_a.shape == (1, 48, 80)
    assert bool((prediction.confidence_a >= 1).all())


@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
@torch.inference_mode()
def test_a_batch_is_its_pairs(description: NetworkDescription) -> None:
    network = made(description)
    a, b = images(3, 48, 64), images(3, 48, 64, seed=1)
    whole = network(a, b)
    for index in range(3):
        part = slice(index, index + 1)
        assert_close(whole, network(a[part], b[part]), part)


@torch.inference_mode()
def test_a_frame_encoded_once_serves_every_pair() -> None:
    network = made(SMALL)
    a, b = images(1, 48, 64), images(1, 48, 64, seed=1)
    tokens_a, tokens_b = network.encode(a), network.encode(b)
    assert_close(network(a, b), network.predict(*network.decode(tokens_a, tokens_b)))
    assert_close(network(b, a), network.predict(*network.decode(tokens_b, tokens_a)))
    assert_close(network(a, a), network.predict(*network.decode(tokens_a, tokens_a)))
    assert_close(network(a, a), network(a, a.clone()))


@torch.inference_mode()
def test_heads_alone_are_the_heads_of_the_whole() -> None:
    network = made(SMALL)
    a, b = images(1, 48, 64), images(1, 48, 64, seed=1)
    whole = network(a, b)
    states_a, states_b = network.decode(network.encode(a), network.encode(b))
    torch.testing.assert_close(network.points(states_b, "b")[0], whole.points_b)
    torch.testing.assert_close(network.descriptors(states_a, "a")[0], whole.descriptors_a)
    torch.testing.assert_close(network.normals(states_b), whole.normals_b)


@torch.inference_mode()
def test_a_shared_decoder_is_two_equal_ones() -> None:
    shared, apart = made(SMALL), made(TWO_DECODERS)
    weights = shared.state_dict()
    for name in list(weights):
        weights[name.replace("blocks_a", "blocks_b")] = weights[name]
    apart.load_state_dict(weights)
    a, b = images(2, 48, 64), images(2, 48, 64, seed=1)
    assert_close(shared(a, b), apart(a, b))
    c = images(2, 64, 80, seed=2)
    assert_close(shared(a, c), apart(a, c))


def test_an_image_that_is_no_multiple_of_the_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="60x50 is no multiple of 8"):
        made(SMALL).encode(images(1, 50, 60))


def test_every_weight_learns_even_after_inference_at_the_same_size() -> None:
    network = made(TWO_DECODERS)
    a, b = images(1, 48, 64), images(1, 48, 64, seed=1)
    with torch.inference_mode():
        network(a, b)
    prediction = network(a, b)
    sum(
        value.square().mean() for value in vars(prediction).values() if value is not None
    ).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None or not grad.any()] == []


@torch.inference_mode()
def test_backbone_in_half_precision() -> None:
    network = made(SMALL)
    a, b = images(1, 48, 64), images(1, 48, 64, seed=1)
    exact = network(a, b)
    half = copy.deepcopy(network).set_backbone_dtype(torch.bfloat16)(a, b)
    assert half.points_a.dtype == half.normals_a.dtype == torch.float32
    error = (half.points_a - exact.points_a).norm() / exact.points_a.norm()
    assert 0 < error < 0.02


@torch.inference_mode()
def test_autocast_leaves_heads_in_float32() -> None:
    network = made(SMALL)
    a, b = images(1, 48, 64), images(1, 48, 64, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        states = network.decode(network.encode(a), network.encode(b))
    automatic = network.predict(*states)
    exact = network(a, b)
    error = (automatic.points_a - exact.points_a).norm() / exact.points_a.norm()
    assert 0 < error < 0.02


@torch.inference_mode()
def test_long_images_up_to_2048() -> None:
    prediction = made(PATCH_16)(images(1, 64, 2048), images(1, 64, 2048, seed=1))
    assert prediction.points_a.shape == (1, 64, 2048, 3)
    assert bool(prediction.points_a.isfinite().all())


@torch.inference_mode()
def test_stages_can_be_exported() -> None:
    network = made(SMALL)
    encoder = torch.export.export(_DataOnly(network), (images(1, 48, 64),))
    torch.testing.assert_close(
        encoder.module()(images(1, 48, 64, seed=1)), network.encode(images(1, 48, 64, seed=1)).data
    )


class _DataOnly(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x).data
