# SPDX-License-Identifier: Apache-2.0
"""If these fail, weights move the wrong way, frozen parts thaw, or a background render is lost."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from dens3r_ros.network.description import DescriptorSize, NetworkDescription, TransformerSize
from dens3r_ros.network.network import Network
from dens3r_ros.resources import resource_dir
from dens3r_ros.training.config import Evaluation, Optimization
from dens3r_ros.training.config_reader import read_config
from dens3r_ros.training.data.prefetch import Prefetcher
from dens3r_ros.training.distributed import joined_world
from dens3r_ros.training.optimization.average import WeightAverage
from dens3r_ros.training.optimization.muon import Muon, orthogonalized
from dens3r_ros.training.optimization.optimizers import Optimizers, freeze, layer_of
from dens3r_ros.training.validation.mean_pointmap import mean_pointmap_errors


def small_network():
    torch.manual_seed(0)
    size = TransformerSize(16, 2, 2, 32)
    return Network(
        NetworkDescription(
            "dens3r", size, size, patch=8, shared_decoder=True, head="linear", normals=True,
            descriptors=DescriptorSize(4, 16, None),
        )
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8)])
def test_muon_brings_all_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 7
    values = torch.linalg.svdvals(orthogonalized(matrices, 5))
    assert values.min() > 0.5 and values.max() < 1.5


def test_muon_treats_stacked_matrices_one_by_one():
    torch.manual_seed(0)
    stacked = nn.Parameter(torch.zeros(12, 4))
    parts = [nn.Parameter(torch.zeros(4, 4)) for _ in range(3)]
    gradient = torch.randn(12, 4)
    stacked.grad = gradient.clone()
    for part, piece in zip(parts, gradient.split(4), strict=True):
        part.grad = piece.clone()
    Muon([{"params": [stacked], "stacks": 3}], lr=0.1).step()
    Muon(parts, lr=0.1).step()
    assert torch.allclose(stacked, torch.cat([part.detach() for part in parts]), atol=1e-6)


@pytest.mark.parametrize("method", ["adamw", "muon"])
def test_both_methods_find_the_least_squares_answer(method):
    network = small_network()
    optimizers = Optimizers(network, Optimization(method, weight_decay=0.0), (2, 2))
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    losses = []
    for _ in range(40):
        loss = (network(image, image).points_a - 1).square().mean()
        loss.backward()
        optimizers.step(3e-3)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_a_gradient_that_is_not_finite_moves_nothing():
    network = small_network()
    optimizers = Optimizers(network, Optimization(), (2, 2))
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        weight.grad = torch.full_like(weight, torch.nan)
    optimizers.step(1.0)
    assert all(torch.equal(before[name], weight) for name, weight in network.named_parameters())


def test_frozen_parts_stay_and_the_rest_learns():
    network = small_network()
    freeze(network, ("encoder.", "decoder.embed"))
    optimizers = Optimizers(network, Optimization("muon"), (2, 2))
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    image = torch.rand(1, 3, 16, 16)
    prediction = network(image, image)
    (prediction.points_a.sum() + prediction.normals_b.sum()).backward()
    optimizers.step(1e-2)
    moved = {
        n.split(".")[0] for n, w in network.named_parameters() if not torch.equal(before[n], w)
    }
    assert moved == {"decoder", "points_heads", "normals_head"}
    with pytest.raises(ValueError, match="the parts are decoder"):
        freeze(network, ("encodr.",))


def test_layers_further_from_the_output_learn_more_slowly():
    assert layer_of("encoder.patch_embed.weight", 2, 3) == 0
    assert layer_of("network.encoder.blocks.1.mlp.fc1.weight", 2, 3) == 2
    assert layer_of("decoder.blocks_b.2.attn.qkv.weight", 2, 3) == 5
    assert layer_of("points_heads.a.raw.proj.weight", 2, 3) == 6
    network = small_network()
    optimizers = Optimizers(network, Optimization(layer_decay=0.5, weight_decay=0.0), (2, 2))
    patch, head = network.encoder.patch_embed.weight, network.points_heads["a"].raw.proj.weight
    before = patch.detach().clone(), head.detach().clone()
    patch.grad, head.grad = torch.ones_like(patch), torch.ones_like(head)
    optimizers.step(1e-3)
    # the first step of Adam is the learning rate itself: 5 layers apart, 0.5 ** 5
    steps = (before[0] - patch).abs().mean(), (before[1] - head).abs().mean()
    assert (steps[0] / steps[1]).item() == pytest.approx(0.5**5, rel=1e-2)


def test_the_average_follows_by_its_decay():
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, 0.0)
    average = WeightAverage(weight, decay=0.9)
    nn.init.constant_(weight.weight, 1.0)
    average.update(weight, step=10**6)
    # 0.9 * 0 + 0.1 * 1
    assert float(average.module.weight) == pytest.approx(0.1)
    average.update(weight, step=0)
    # young averages follow faster: decay 1 / 10
    assert float(average.module.weight) == pytest.approx(0.1 * 0.1 + 0.9)


@pytest.mark.parametrize("ahead", [0, 2])
def test_batches_come_in_order_and_faults_come_out(ahead):
    with Prefetcher(lambda step: step * step, range(3, 7), ahead) as batches:
        assert list(batches) == [9, 16, 25, 36]

    def fail(step):
        if step == 1:
            raise OSError("no such world")
        return step

    with Prefetcher(fail, range(5), ahead) as batches:
        assert next(batches) == 0
        with pytest.raises(OSError, match="no such world"):
            next(batches)


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    with Prefetcher(lambda step: step, range(1000), 2) as batches:
        next(batches)
    assert threading.active_count() == before


def test_the_mean_pointmap_is_better_than_nothing_and_far_from_right():
    """Without this baseline a table of short runs does not tell learning from guessing."""
    config = read_config(resource_dir("config") / "training/ablation-cpu.yaml")
    config = replace(config, evaluation=Evaluation(pairs=64))
    with joined_world("cpu") as world:
        errors = mean_pointmap_errors(config, world, 64)
    assert 0.2 < errors["held_point_a"] < errors["held_point_b"] < 0.6
