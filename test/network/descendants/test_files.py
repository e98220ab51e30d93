# SPDX-License-Identifier: Apache-2.0
"""If these fail, published checkpoints of descendants do not load, or load as something else."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.network import WeightsError, build_network, load_network, save_network

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "descendants"
FAMILIES = {
    "reloc3r": 2,
    "spann3r": 2,
    "mvdust3r": 0,
    "noposplat": 0,
    "splatt3r": 2,
    "align3r": 2,
    "das3r": 2,
}

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)


def stored(name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    fixture = Fixture(FIXTURES / f"{name}_small.npz")
    return fixture.weights(), fixture.config.get("kw") or fixture.config["dims"]


@pytest.mark.parametrize("name", FAMILIES)
def test_known_by_its_tensors_and_again_from_our_own_file(name: str, tmp_path: Path) -> None:
    network = build_network(*stored(name), name)
    assert network.info.family == name and network.info.views == FAMILIES[name]
    assert "non-commercial" in network.info.licence
    assert not any(parameter.requires_grad for parameter in network.parameters())
    save_network(network, tmp_path / "own.safetensors")
    again = load_network(tmp_path / "own.safetensors")
    assert type(again) is type(network) and again.description == network.description
    mine, theirs = network.state_dict(), again.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


@pytest.mark.parametrize("name", ["noposplat", "splatt3r"])
def test_files_of_a_training_framework(name: str, tmp_path: Path) -> None:
    """Their tensors have a prefix; those of losses beside them are not the network's."""
    tensors, _ = stored(name)
    state = {f"encoder.{key}": value for key, value in tensors.items()}
    state["lpips.net.lin0.weight"] = torch.zeros(3)
    wide = {"enc_num_heads": 2, "dec_num_heads": 2}
    torch.save({"state_dict": state, "args": argparse.Namespace(**wide)}, tmp_path / "last.ckpt")
    assert load_network(tmp_path / "last.ckpt").info.family == name


def test_a_hugging_face_folder(tmp_path: Path) -> None:
    tensors, config = stored("reloc3r")
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(str(config).replace("'", '"'))
    network = load_network(tmp_path)
    assert network.info.family == "reloc3r" and network.size.encoder.heads == 4


def test_tensors_stored_under_two_names() -> None:
    tensors, config = stored("align3r")
    prefix = "downstream_head1.dpt.scratch."
    tensors[f"{prefix}layer_rn.0.weight"] = tensors.pop(f"{prefix}layer1_rn.weight")
    assert build_network(tensors, config).info.family == "align3r"


def test_what_is_incomplete_or_unknown_is_said_so() -> None:
    tensors, config = stored("spann3r")
    del tensors["norm_k.bias"]
    with pytest.raises(WeightsError, match=r"1 of \d+ tensors are missing, norms.norm_k.bias"):
        build_network(tensors, config, "spann3r")
    with pytest.raises(WeightsError, match=r"strange: of no family known .*some\.tensor"):
        build_network({"some.tensor": torch.zeros(2)}, {}, "strange")
    tensors, config = stored("reloc3r")
    with pytest.raises(WeightsError, match=r"more.*extra_head"):
        build_network(tensors | {"extra_head.weight": torch.zeros(2)}, config, "reloc3r")


@pytest.mark.parametrize("name", ["reloc3r", "das3r"])
def test_half_precision(name: str) -> None:
    network = build_network(*stored(name), name).set_backbone_dtype(torch.bfloat16)
    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        network(images[:1], images[1:])
