# SPDX-License-Identifier: Apache-2.0
"""On a CPU engines run layers of their own in the places of a network's: whoever maps with a
laptop gets wrong depth if they compute anything else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dens3r_ros.engines.cpu.blocks import FusedBlock, fuse_blocks
from dens3r_ros.engines.cpu.heads import OneDnnUnit, use_onednn_heads
from dens3r_ros.engines.cpu.int8 import Int8Linear, int8_works, use_int8
from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.precision import choose_precision
from dens3r_ros.network.parts.blocks import Block, BlockSize
from dens3r_ros.network.parts.dense_head import DenseHead
from dens3r_ros.network.parts.rope import token_tables

GRID = (3, 5)


def filled(module: nn.Module) -> nn.Module:
    torch.manual_seed(3)
    for parameter in module.parameters():
        parameter.data.normal_(0, 0.2)
    return module.eval().requires_grad_(False)


def head(rectifies: bool = False) -> DenseHead:
    made = filled(DenseHead(32, (8, 12, 16, 24), 16, 2, rectifies=rectifies))
    assert isinstance(made, DenseHead)
    return made


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize(("layer_scale", "gated"), [(True, False), (False, True), (True, True)])
def test_fused_blocks_give_the_same_numbers(
    rotates: bool, qk_norm: bool, layer_scale: bool, gated: bool
) -> None:
    size = BlockSize(48, 3, 64, 1e-6, layer_scale, qk_norm, gated)
    plain = filled(nn.Sequential(Block(size)))
    fused = copy.deepcopy(plain)
    fuse_blocks(fused)
    assert isinstance(fused[0], FusedBlock)
    x = torch.randn(2, 1 + GRID[0] * GRID[1], 48)
    given = x.clone()
    tables = token_tables(16, 100.0, GRID, 1, x.device) if rotates else None
    torch.testing.assert_close(fused[0](x, tables), plain[0](x, tables), atol=1e-5, rtol=1e-4)
    assert torch.equal(x, given), "tokens that are kept must stay as they are"


def test_heads_whose_channels_make_no_pairs_are_left_alone() -> None:
    network = nn.Sequential(Block(BlockSize(12, 2, 16)))
    fuse_blocks(network)
    assert isinstance(network[0], Block)


@pytest.mark.parametrize("rectifies", [False, True])
def test_onednn_heads_give_the_same_maps(rectifies: bool) -> None:
    plain = nn.Sequential(head(rectifies))
    fast = copy.deepcopy(plain)
    if not use_onednn(fast):
        pytest.skip("oneDNN's layers are not to be had on this machine")
    assert any(isinstance(part, OneDnnUnit) for part in fast.modules())
    tokens = [torch.randn(2, GRID[0] * GRID[1], 32) for _ in range(4)]
    expected = plain[0](tokens, GRID)
    scale = float(expected.abs().max())
    assert float((fast[0](tokens, GRID) - expected).abs().max()) < 1e-5 * scale


@pytest.mark.parametrize("gated", [False, True])
def test_blocks_in_int8_err_by_little(gated: bool) -> None:
    if not int8_works():
        pytest.skip("int8 products are not to be had on this machine")
    fused = filled(nn.Sequential(Block(BlockSize(48, 3, 64, 1e-6, True, True, gated))))
    fuse_blocks(fused)
    whole = copy.deepcopy(fused)
    use_int8(whole)
    assert not any(isinstance(part, nn.Linear) for part in whole.modules())
    x = torch.randn(2, 16, 48)
    added = fused[0](x) - x
    off = float((whole[0](x) - fused[0](x)).norm() / added.norm())
    assert 1e-5 < off < 0.05


def test_nothing_to_see_is_no_fault_in_int8() -> None:
    if not int8_works():
        pytest.skip("int8 products are not to be had on this machine")
    linear = nn.Linear(32, 8)
    found = Int8Linear(linear)(torch.zeros(1, 3, 32))
    torch.testing.assert_close(found, linear.bias.expand(1, 3, 8), atol=1e-5, rtol=1e-4)


def test_int8_is_refused_where_it_is_not_to_be_had() -> None:
    with pytest.raises(ValueError, match="networks of many views alone; take bf16"):
        choose_precision("int8", torch.device("cpu"), int8=False)
    with pytest.raises(ValueError, match="for CPUs, not for meta"):
        choose_precision("int8", torch.device("meta"))


def test_heads_in_bfloat16_end_in_float32() -> None:
    plain = nn.Sequential(head())
    if not use_onednn(copy.deepcopy(plain)):
        pytest.skip("oneDNN's layers are not to be had on this machine")
    short = copy.deepcopy(plain)
    use_onednn_heads(short, torch.bfloat16)
    tokens = [torch.randn(1, GRID[0] * GRID[1], 32) for _ in range(4)]
    expected, found = plain[0](tokens, GRID), short[0](tokens, GRID)
    assert found.dtype == torch.float32
    off = (found - expected).abs()
    assert 0 < float(off.median()) < 0.01 * float(expected.std())
