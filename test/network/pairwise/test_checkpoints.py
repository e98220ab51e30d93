# SPDX-License-Identifier: Apache-2.0
"""If these fail, weights that people have do not load, load wrongly, or load twice into memory."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from published_layout import (
    DENS3R_UNIFY,
    DUST3R,
    DUST3R_DPT,
    DUST3R_LINEAR,
    ENCODER,
    MAST3R,
    MAST3R_METRIC,
    backbone_shapes,
    dens3r_shapes,
    dpt_head_shapes,
    dust3r_linear_shapes,
    mast3r_shapes,
    random_tensors,
    save_official,
)
from safetensors.torch import save_file

from dens3r_ros.network import (
    DptSize,
    Network,
    PairPrediction,
    WeightsError,
    load_network,
    save_network,
)

Tensors = dict[str, torch.Tensor]


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = 2 * torch.rand(2, 1, 3, 48, 64, generator=generator) - 1
    return first, second


def assert_equal(one: PairPrediction, other: PairPrediction, tolerance: float = 0.0) -> None:
    for name, value in vars(one).items():
        if value is None:
            assert getattr(other, name) is None
        else:
            torch.testing.assert_close(getattr(other, name), value, rtol=tolerance, atol=tolerance)


def deduplicated(tensors: Tensors) -> Tensors:
    """Without the second name of tensors that have two, which safetensors cannot hold."""
    return {key: value for key, value in tensors.items() if ".scratch.layer_rn." not in key}


def save_folder(folder: Path, arguments: dict[str, Any], tensors: Tensors, shards: int = 1) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(arguments))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    names = [f"model-{index:05d}-of-{shards:05d}.safetensors" for index in range(1, shards + 1)]
    where = {key: names[index % shards] for index, key in enumerate(tensors)}
    for name in names:
        save_file({key: tensors[key] for key in tensors if where[key] == name}, folder / name)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def mast3r(tmp_path: Path) -> Network:
    tensors = random_tensors(mast3r_shapes())
    return load_network(save_official(tmp_path / "m.pth", MAST3R, MAST3R_METRIC, tensors))


def test_mast3r_says_what_it_is(mast3r: Network) -> None:
    info = mast3r.info
    assert (info.family, info.patch, info.metric) == ("mast3r", 16, True)
    assert info.outputs == ("points", "confidence", "descriptors", "descriptor_confidence")
    assert info.training_size == (512, 384)
    assert "non-commercial" in info.licence
    assert info.parameters == sum(p.numel() for p in mast3r.parameters())
    assert mast3r(*pair()).descriptors_b.shape == (1, 48, 64, 6)


def test_sizes_are_read_off_the_tensors(mast3r: Network) -> None:
    assert mast3r.description.dpt == DptSize(12, 8, (4, 6, 8, 10), 6)
    assert mast3r.description.encoder.mlp_width == 128
    assert mast3r.description.descriptors is not None
    assert mast3r.description.descriptors.mlp_width == 40


def test_dust3r_linear(tmp_path: Path) -> None:
    arguments = {**DUST3R_LINEAR, "img_size": (224, 224)}
    del arguments["patch_embed_cls"]
    tensors = random_tensors(dust3r_linear_shapes())
    network = load_network(save_official(tmp_path / "d.pth", DUST3R, arguments, tensors))
    assert network.info.family == "dust3r" and not network.info.metric
    assert network.info.training_size == (224, 224)
    assert network.description.head == "linear"


@pytest.mark.parametrize("decoders", [("dec_blocks",), ("dec_blocks", "dec_blocks2")])
def test_dens3r_with_one_decoder_and_with_two(tmp_path: Path, decoders: tuple[str, ...]) -> None:
    arguments = {**DENS3R_UNIFY, "symmetrize_dec": len(decoders) == 1}
    tensors = random_tensors(dens3r_shapes(decoders))
    network = load_network(save_official(tmp_path / "u.pth", MAST3R, arguments, tensors))
    assert network.description.shared_decoder == (len(decoders) == 1)
    assert network.info.family == "dens3r" and network.info.turn_portraits
    assert network.description.rope_grid == 32
    normals = network(*pair()).normals_b
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(1, 48, 64))


def test_dens3r_normals_only(tmp_path: Path) -> None:
    shapes = backbone_shapes(("dec_blocks",)) | dpt_head_shapes("normal_local_head", 3)
    arguments = {**DENS3R_UNIFY, "output_mode": "normal"}
    path = save_official(tmp_path / "n.pth", MAST3R, arguments, random_tensors(shapes))
    network = load_network(path)
    assert network.info.outputs == ("normals",)
    assert network(*pair()).points_a is None


def test_descriptors_without_confidence_of_their_own_share_that_of_the_points(
    tmp_path: Path,
) -> None:
    shapes = mast3r_shapes()
    for head in ("downstream_head1", "downstream_head2"):
        for kind in ("weight", "bias"):
            key = f"{head}.head_local_features.fc2.{kind}"
            shapes[key] = (6 * 16**2, *shapes[key][1:])
    arguments = {**MAST3R_METRIC, "two_confs": False}
    path = save_official(tmp_path / "m.pth", MAST3R, arguments, random_tensors(shapes))
    prediction = load_network(path)(*pair())
    assert prediction.descriptors_a.shape[-1] == 6
    assert torch.equal(prediction.descriptor_confidence_a, prediction.confidence_a)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("other_name", [False, True])
def test_a_hugging_face_folder_is_the_same_network(
    mast3r: Network, tmp_path: Path, shards: int, other_name: bool
) -> None:
    tensors = random_tensors(mast3r_shapes())
    stored = deduplicated(tensors)
    if other_name:
        stored = {re.sub(r"layer(\d)_rn", _alias, key): value for key, value in stored.items()}
    folder = save_folder(tmp_path / "hf", MAST3R_METRIC, stored, shards)
    assert_equal(mast3r(*pair()), load_network(folder)(*pair()))


def _alias(match: re.Match[str]) -> str:
    return f"layer_rn.{int(match[1]) - 1}"


def test_the_safetensors_inside_a_hugging_face_folder_may_be_named(
    mast3r: Network, tmp_path: Path
) -> None:
    stored = deduplicated(random_tensors(mast3r_shapes()))
    folder = save_folder(tmp_path / "hf", MAST3R_METRIC, stored)
    assert_equal(mast3r(*pair()), load_network(folder / "model.safetensors")(*pair()))


def test_our_own_file_is_the_same_network(mast3r: Network, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_network(mast3r, path)
    loaded = load_network(path)
    assert loaded.description == mast3r.description
    assert_equal(mast3r(*pair()), loaded(*pair()))
    assert list(tmp_path.glob("*.part")) == []


def test_half_precision_files_load_as_float32(mast3r: Network, tmp_path: Path) -> None:
    save_network(mast3r, tmp_path / "half.safetensors", torch.float16)
    loaded = load_network(tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert_equal(mast3r(*pair()), loaded(*pair()), 0.02)


def test_a_backbone_in_half_precision_keeps_heads_in_float32(
    mast3r: Network, tmp_path: Path
) -> None:
    save_network(mast3r, tmp_path / "own.safetensors")
    loaded = load_network(tmp_path / "own.safetensors", dtype=torch.bfloat16)
    assert loaded.encoder.blocks[0].attn.qkv.weight.dtype == torch.bfloat16
    assert {p.dtype for p in loaded.points_heads.parameters()} == {torch.float32}
    prediction = loaded(*pair())
    assert prediction.points_a.dtype == torch.float32
    assert_equal(mast3r(*pair()), prediction, 0.1)


def test_a_second_decoder_that_was_never_stored_is_the_first(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    both = tensors | {
        key.replace("dec_blocks.", "dec_blocks2."): value
        for key, value in tensors.items()
        if key.startswith("dec_blocks.")
    }
    one = {key: value for key, value in tensors.items() if "dec_blocks2" not in key}
    whole = load_network(save_official(tmp_path / "both.pth", DUST3R, DUST3R_LINEAR, both))
    short = load_network(save_official(tmp_path / "one.pth", DUST3R, DUST3R_LINEAR, one))
    assert_equal(whole(*pair()), short(*pair()), 1e-5)


def test_names_from_data_parallel_training(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    wrapped = {f"module.{key}": value for key, value in tensors.items()}
    plain = load_network(save_official(tmp_path / "p.pth", DUST3R, DUST3R_LINEAR, tensors))
    other = load_network(save_official(tmp_path / "w.pth", DUST3R, DUST3R_LINEAR, wrapped))
    assert_equal(plain(*pair()), other(*pair()))


def test_unknown_tensors_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = random_tensors(dust3r_linear_shapes()) | {"extra.weight": torch.zeros(3)}
    with caplog.at_level(logging.WARNING):
        load_network(save_official(tmp_path / "x.pth", DUST3R, DUST3R_LINEAR, tensors))
    assert "extra.weight" in caplog.text
    assert "mask_token" not in caplog.text


def test_missing_tensors_are_refused(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    del tensors["enc_norm.bias"]
    path = save_official(tmp_path / "x.pth", DUST3R, DUST3R_LINEAR, tensors)
    with pytest.raises(WeightsError, match=r"1 of \d+ tensors are missing, encoder\.norm\.bias"):
        load_network(path)


def test_a_shape_that_contradicts_the_rest_is_refused(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    tensors["enc_norm.bias"] = torch.zeros(7)
    path = save_official(tmp_path / "x.pth", DUST3R, DUST3R_LINEAR, tensors)
    with pytest.raises(WeightsError, match=r"encoder\.norm\.bias is \(7,\), expected \(32,\)"):
        load_network(path)


def test_dpt_of_dust3r(tmp_path: Path) -> None:
    heads = dpt_head_shapes("downstream_head1") | dpt_head_shapes("downstream_head2")
    tensors = random_tensors(backbone_shapes() | heads)
    network = load_network(save_official(tmp_path / "d.pth", DUST3R, DUST3R_DPT, tensors))
    assert network.description.head == "dpt"
    size = network.description.dpt
    assert (size.feature_dim, size.reduced_dim, size.last_dim) == (12, 6, 8)
    assert network.info.outputs == ("points", "confidence")


def test_weights_are_mapped_and_not_copied(tmp_path: Path) -> None:
    shapes, hidden = dust3r_linear_shapes(), 800_000
    for block in ("enc_blocks.0", "enc_blocks.1"):
        shapes[f"{block}.mlp.fc1.weight"] = (hidden, ENCODER)
        shapes[f"{block}.mlp.fc1.bias"] = (hidden,)
        shapes[f"{block}.mlp.fc2.weight"] = (ENCODER, hidden)
    path = save_official(tmp_path / "big.pth", DUST3R, DUST3R_LINEAR, random_tensors(shapes))
    before = _own_memory()
    network = load_network(path)
    network.encoder.blocks[0].mlp.fc1.weight.sum()
    assert path.stat().st_size > 300e6
    assert _own_memory() - before < 0.1 * path.stat().st_size
    own = tmp_path / "own.safetensors"
    save_network(network, own)
    before = _own_memory()
    load_network(own).encoder.blocks[0].mlp.fc1.weight.sum()
    assert _own_memory() - before < 0.1 * own.stat().st_size


def _own_memory() -> int:
    """Bytes of this process that no file backs."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert match
    return int(match[1]) * 1024
