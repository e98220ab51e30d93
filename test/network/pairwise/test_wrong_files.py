# SPDX-License-Identifier: Apache-2.0
"""If these fail, a wrong file gives a riddle instead of a sentence, or runs somebody's code."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_layout import (
    DUST3R,
    DUST3R_LINEAR,
    constructor,
    dust3r_linear_shapes,
    random_tensors,
    save_official,
)
from safetensors.torch import save_file

from dens3r_ros.network import WeightsError, load_network, save_network

HUNDRED_BYTES = b"0123456789" * 10


@pytest.fixture
def official(tmp_path: Path) -> Path:
    tensors = random_tensors(dust3r_linear_shapes())
    return save_official(tmp_path / "official.pth", DUST3R, DUST3R_LINEAR, tensors)


def refusal(path: Path) -> str:
    """The one sentence that loading ends with."""
    with pytest.raises(WeightsError) as caught:
        load_network(path)
    message = str(caught.value)
    assert str(path) in message or str(path.parent) in message
    assert "\n" not in message
    return message


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


def safetensors_header(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("name", "content", "seems"),
    [
        ("empty.pth", b"", "an empty file"),
        ("page.pth", b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        ("page.safetensors", b"\n <html>", "a web page"),
        ("pointer.pth", b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        ("model.onnx", b"\x08\x07\x12\x07pytorch\x1a", "an ONNX model"),
        ("renamed.pth", b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:", "an ONNX model"),
        ("saved_model.pb", b"\x08\x01\x12\x9f\x30\x0a", "a TensorFlow model"),
        ("model.tflite", b"\x1c\x00\x00\x00TFL3\x14", "a TensorFlow model"),
        ("model.ckpt.data-00000-of-00001", b"\xff\x12\x9f\x30\x0a", "a TensorFlow checkpoint"),
        ("weights.h5", b"\x89HDF\r\n\x1a\n" + HUNDRED_BYTES, "an HDF5 file"),
        ("model.gguf", b"GGUF\x03\x00\x00\x00", "a GGUF file"),
        ("model.pth.gz", b"\x1f\x8b\x08\x00", "a gzip archive"),
        ("image.png", b"\x89PNG\r\n\x1a\n", "a PNG image"),
        ("config.json", b'{"enc_depth": 24}', "a JSON file"),
        ("notes.txt", b"some words", "a text file"),
        ("noise.bin", bytes(range(1, 200)), "a file of a kind unknown here"),
        ("arrays.npz", npz(), "a zip archive that torch did not write"),
        ("cut.safetensors", safetensors_header({"a": {}})[:12], "a truncated safetensors file"),
        (
            "short.safetensors",
            safetensors_header({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}),
            "a damaged or truncated safetensors file",
        ),
    ],
)
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, name: str, content: bytes, seems: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert seems in message
    assert "expected an official .pth" in message


@pytest.mark.parametrize("kept", [10, 1000, 0.5, 0.999])
def test_a_truncated_checkpoint(official: Path, kept: float) -> None:
    content = official.read_bytes()
    official.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    assert "a truncated download" in refusal(official)


def test_a_truncated_file_of_our_own(official: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_network(load_network(official), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated" in refusal(path)


def test_a_safetensors_file_without_description(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert "without a description of its network" in refusal(path)


@pytest.mark.parametrize("description", ["", "[]", "{}", '{"family": "dust3r", "encoder": 3}'])
def test_a_safetensors_file_with_a_damaged_description(tmp_path: Path, description: str) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"dens3r_ros.network": description})
    assert "of another version" in refusal(path)


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "a folder without config.json" in refusal(folder)
    (folder / "config.json").write_text("{")
    assert "damaged JSON" in refusal(folder)
    (folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    assert "some other model" in refusal(folder)
    (folder / "config.json").write_text(json.dumps(DUST3R_LINEAR))
    assert "model.safetensors missing" in refusal(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text("{}")
    assert "a damaged list of shards" in refusal(folder)
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert "model-1.safetensors missing" in refusal(folder)


def args(model: object = "", **others: object) -> argparse.Namespace:
    return argparse.Namespace(model=model, **others)


@pytest.mark.parametrize(
    ("content", "seems"),
    [
        ([1, 2], "a list saved by torch"),
        (torch.zeros(3), "a Tensor saved by torch"),
        ({"a.weight": torch.zeros(3)}, "a bare state_dict of 1 tensors"),
        ({"epoch": 3, "loss": 0.1}, "a dictionary saved by torch with the keys epoch, loss"),
        ({"model": {"a": torch.zeros(1)}}, "a checkpoint without args"),
        ({"args": args(None), "model": {}}, "a checkpoint whose args name no model"),
        ({"args": args(nclusters=64), "model": {}}, "a retrieval checkpoint"),
        ({"dune_backbone_name": "b", "model": {}}, "a DUNE checkpoint"),
        ({"args": args("ResNet(depth=50)"), "model": {}}, "a checkpoint of ResNet"),
        ({"args": args("not python ("), "model": {}}, "not a constructor call"),
        ({"args": args(f"{DUST3R}(1, 2)"), "model": {}}, "arguments without names"),
        ({"args": args(f"{DUST3R}(a=open('x'))"), "model": {}}, "as the value of an argument"),
        ({"args": args(f"{DUST3R}(**a)"), "model": {}}, "** in a constructor call"),
        ({"args": args("(" * 5000), "model": {}}, "not a constructor call"),
        ({"args": args("a" * 50_000), "model": {}}, "a constructor call of 50000 characters"),
    ],
)
def test_something_else_saved_by_torch(tmp_path: Path, content: object, seems: str) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    assert seems in refusal(path)


@pytest.mark.parametrize(
    ("changes", "seems"),
    [
        ({"pos_embed": "cosine"}, "position embedding 'cosine' instead of RoPE"),
        ({"output_mode": "segmentation"}, "output mode 'segmentation'"),
        ({"head_type": "catconv"}, "head type 'catconv'"),
        ({"patch_embed_cls": "Other"}, "patch embedding 'Other'"),
        ({"depth_mode": ("exp", 0, 1)}, "depth mode"),
        ({"conf_mode": ("sigmoid", 0, 1)}, "confidence mode 'sigmoid'"),
        ({"conf_mode": 3}, "a checkpoint with"),
        ({"enc_num_heads": 5}, "5 heads do not divide the width 32"),
    ],
)
def test_a_variant_that_is_not_supported(
    tmp_path: Path, changes: dict[str, Any], seems: str
) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    arguments = {**DUST3R_LINEAR, **changes}
    path = save_official(tmp_path / "variant.pth", DUST3R, arguments, tensors)
    assert seems in refusal(path)


def test_a_pretraining_checkpoint_has_no_heads(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    headless = {key: value for key, value in tensors.items() if "downstream" not in key}
    path = save_official(tmp_path / "croco.pth", DUST3R, DUST3R_LINEAR, headless)
    assert "no heads" in refusal(path)


def test_a_torchscript_module(tmp_path: Path) -> None:
    path = tmp_path / "script.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"")
        archive.writestr("m/constants.pkl", b"")
    assert "a TorchScript module" in refusal(path)


def test_a_tar_archive(tmp_path: Path) -> None:
    path = tmp_path / "weights.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    assert "expected an official .pth" in refusal(path)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="no model is named 'dust4r'"):
        load_network("dust4r")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file or folder"):
        load_network(tmp_path / "nothing.pth")


class Payload:
    """Runs a command when a trusting reader unpickles it."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.victim}",)


def malicious(place: str, payload: Payload) -> object:
    tensors = random_tensors(dust3r_linear_shapes())
    namespace = args(constructor(DUST3R, DUST3R_LINEAR))
    if place == "args":
        namespace.resume = payload
    content: dict[str, object] = {"args": namespace, "model": tensors}
    if place == "model":
        content["model"] = {**tensors, "enc_norm.weight": payload}
    if place == "beside":
        content["optimizer"] = payload
    return payload if place == "whole" else content


@pytest.mark.parametrize("place", ["whole", "args", "model", "beside"])
@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, place: str, layout: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "evil.pth"
    content = malicious(place, Payload(victim))
    torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    assert "refused, because reading it would call posix.system" in refusal(path)
    assert not victim.exists()


def test_a_plain_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Payload(victim)))
    refusal(path)
    assert not victim.exists()


def test_the_payload_of_these_tests_is_a_real_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "victim")))
    assert (tmp_path / "victim").exists()


def test_a_checkpoint_in_the_old_layout_of_torch_loads(tmp_path: Path) -> None:
    tensors = random_tensors(dust3r_linear_shapes())
    content = {"args": args(constructor(DUST3R, DUST3R_LINEAR)), "model": tensors}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_network(tmp_path / "old.pth").info.family == "dust3r"
