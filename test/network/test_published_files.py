# SPDX-License-Identifier: Apache-2.0
"""If these fail, downloads of Depth Anything 3 or VGGT do not load, or wrong ones load silently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_checkpoints import HEADS, Tensors, any_view, one_view, vggt

from dens3r_ros.network import (
    WeightsError,
    build_network,
    load_network,
    load_pairwise,
    save_network,
)
from dens3r_ros.network.monocular.depth_anything import DepthAnythingNetwork
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.vggt.network import VggtNetwork

CONFIG = {"num_heads": HEADS}
KINDS: dict[str, tuple[Callable[[], Tensors], type]] = {
    "any_view": (any_view, AnyViewNetwork),
    "one_view": (one_view, DepthAnythingNetwork),
    "vggt": (vggt, VggtNetwork),
}


def tensors_of(kind: str) -> Tensors:
    return KINDS[kind][0]()


def in_folder(folder: Path, tensors: Tensors, config: dict[str, object]) -> Path:
    """As it comes from a hub."""
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def output(network: torch.nn.Module) -> torch.Tensor:
    images = torch.rand(1, 2, 3, 28, 42, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        return network(images[0] if isinstance(network, DepthAnythingNetwork) else images).depth


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_and_the_file_in_it(tmp_path: Path, kind: str) -> None:
    expected = build_network(tensors_of(kind), CONFIG)
    folder = in_folder(tmp_path / "folder", tensors_of(kind), {"config": {}, **CONFIG})
    for path in (folder, folder / "model.safetensors"):
        network = load_network(path)
        assert isinstance(network, KINDS[kind][1])
        assert torch.equal(output(network), output(expected))


@pytest.mark.parametrize("kind", ["any_view", "vggt"])
def test_a_file_by_itself(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "some-name.safetensors"
    save_file(tensors_of(kind), path)
    assert isinstance(load_network(path), KINDS[kind][1])


@pytest.mark.parametrize("wrapped", [False, True], ids=["state", "in a dictionary"])
def test_a_file_of_torch(tmp_path: Path, wrapped: bool) -> None:
    path = tmp_path / "model.pt"
    tensors = tensors_of("vggt")
    torch.save({"model": tensors, "epoch": 3} if wrapped else tensors, path)
    expected = output(build_network(tensors))
    assert torch.equal(output(load_network(path)), expected)
    assert torch.equal(output(load_network(tmp_path)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_loads_again(tmp_path: Path, kind: str) -> None:
    network = build_network(tensors_of(kind), CONFIG, "1b-commercial-metric")
    path = tmp_path / "own.safetensors"
    save_network(network, path)
    again = load_network(path)
    assert again.description == network.description
    assert torch.equal(output(again), output(network))
    assert not any(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_stays_near(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "own.safetensors"
    save_network(build_network(tensors_of(kind), CONFIG), path)
    exact = output(load_network(path))
    half = output(load_network(path, dtype=torch.bfloat16))
    assert half.dtype == torch.float32
    assert 0 < (half.log() - exact.log()).abs().mean() < 0.1


def test_settings_beside_the_weights_count(tmp_path: Path) -> None:
    settings = {"backbone": {"out_layers": [2, 4, 5, 7], "alt_start": 2, "rope_start": 3}}
    folder = in_folder(tmp_path / "folder", any_view(), {"model_name": "x", "config": settings})
    description = load_network(folder).description
    assert description.hooks == (2, 4, 5, 7)
    assert (description.cross_from, description.qk_norm_from, description.rotate_from) == (2, 3, 3)


def test_metric_depth_is_told_by_the_name(tmp_path: Path) -> None:
    for name, metric in (("DA3MONO-LARGE", False), ("DA3METRIC-LARGE", True)):
        folder = in_folder(tmp_path / name, one_view(), CONFIG)
        assert load_network(folder).info.metric is metric


def test_every_name_of_the_one_norm_is_fine() -> None:
    tensors = any_view()
    norm = "model.head.scratch.output_conv2_aux.{}.2.{}"
    for level in (1, 2, 3):
        for part in ("weight", "bias"):
            tensors[norm.format(level, part)] = tensors[norm.format(0, part)]
    network = build_network(tensors)
    assert torch.equal(network.rays_head.out[1].weight, tensors[norm.format(0, "weight")])


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_more_are_refused(tmp_path: Path, kind: str) -> None:
    tensors = tensors_of(kind)
    prefix = "" if kind == "vggt" else "model."
    tensors[f"{prefix}head.other_branch.weight"] = torch.zeros(3)
    message = refusal(in_folder(tmp_path / "folder", tensors, CONFIG))
    assert "1 tensors more (head.other_branch.weight)" in message


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_less_are_refused(tmp_path: Path, kind: str) -> None:
    tensors = tensors_of(kind)
    removed = next(key for key in reversed(tensors) if "blocks" in key and "mlp.fc2" in key)
    del tensors[removed]
    message = refusal(in_folder(tmp_path / "folder", tensors, CONFIG))
    assert "1 of" in message and "are missing" in message


def test_tensors_of_another_shape_are_refused(tmp_path: Path) -> None:
    tensors = any_view()
    tensors["model.cam_dec.fc_t.weight"] = torch.zeros(3, 7)
    message = refusal(in_folder(tmp_path / "folder", tensors, CONFIG))
    assert "camera_decoder.translation.weight is (3, 7), expected (3, 64)" in message


def test_a_width_without_a_number_of_heads_is_refused(tmp_path: Path) -> None:
    message = refusal(in_folder(tmp_path / "folder", one_view(), {}))
    assert "a width of 32, from which the number of heads cannot be told" in message


def test_hooks_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "folder", any_view(), {"out_layers": [5, 7, 9, 23]})
    assert "reads four rising blocks of 0 to 11, not (5, 7, 9, 23)" in refusal(folder)


def test_unknown_files_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"text_model.embeddings.weight": torch.zeros(3)}, path)
    assert "text_model.embeddings.weight" in refusal(path)
    other = tmp_path / "other.pt"
    torch.save({"unet.down.0.weight": torch.zeros(3)}, other)
    assert "unet.down.0.weight" in refusal(other)


def test_two_networks_in_one_are_refused_by_name(tmp_path: Path) -> None:
    tensors = {key.replace("model.", "model.da3."): value for key, value in any_view().items()}
    for key, value in one_view().items():
        tensors[key.replace("model.", "model.da3_metric.")] = value
    message = refusal(in_folder(tmp_path / "folder", tensors, CONFIG))
    assert "a nested Depth Anything 3 checkpoint" in message and "DA3-GIANT" in message


def test_a_truncated_download(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(any_view(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "truncated" in refusal(path)


def test_engines_for_pairs_say_what_they_got(tmp_path: Path) -> None:
    path = tmp_path / "da3.safetensors"
    save_file(any_view(), path)
    with pytest.raises(WeightsError, match="a da3 network, which does not look at pairs"):
        load_pairwise(path)
