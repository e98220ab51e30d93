# SPDX-License-Identifier: Apache-2.0
"""What a person types for an engine must give that engine, or a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_network

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.geometric.engine import GeometricEngine
from dens3r_ros.engines.hybrid import HybridEngine
from dens3r_ros.engines.loading import Choice, choose_engine, load_engine
from dens3r_ros.engines.random_weights import DESCRIPTIONS
from dens3r_ros.engines.torch_engine import TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.model_store.manifest import load_manifest
from dens3r_ros.network import Network, save_network
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingDescription,
    DepthAnythingNetwork,
)
from dens3r_ros.network.multiview.description import DenseSize
from dens3r_ros.network.parts.dinov2 import DinoSize


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_network(small_network(), path)
    return path


def factory() -> GeometricEngine:
    return GeometricEngine()


def not_an_engine() -> int:
    return 3


def test_a_model_named_runs_with_torch(weights: Path) -> None:
    for name in ("auto", "torch"):
        engine = load_engine(name, str(weights), device="cpu")
        assert isinstance(engine, TorchEngine)
        assert engine.info.model == "small" and engine.info.metric
        assert engine.info.precision in ("fp32", "bf16")


def test_the_hash_is_that_of_the_weights_not_of_the_file(weights: Path) -> None:
    engine = load_engine("torch", str(weights), device="cpu")
    assert engine.info.model_hash == fingerprint(small_network())
    assert engine.info.model_hash != fingerprint(small_network(metric=False))


def test_geometric_needs_no_model() -> None:
    assert load_engine("geometric").info.name == "geometric"


def test_anybodys_engine_is_taken() -> None:
    assert load_engine(f"{__name__}:factory").info.name == "geometric"


@pytest.mark.parametrize(
    ("preferred", "named", "chosen"),
    [
        ("geometric", ("auto", ""), ("geometric", "")),
        ("dens3r-tiny", ("auto", ""), ("torch", "dens3r-tiny")),
        ("dens3r-tiny", ("torch", ""), ("torch", "dens3r-tiny")),
        ("dens3r-tiny", ("geometric", ""), ("geometric", "")),
        ("geometric", ("auto", "dens3r-tiny"), ("torch", "dens3r-tiny")),
        ("geometric", ("onnx", "folder"), ("onnx", "folder")),
        ("geometric", ("some:engine", ""), ("some:engine", "")),
        ("geometric", ("hybrid", ""), ("hybrid", "dens3r-tiny")),
        ("geometric", ("hybrid", "moge-2-vits-normal"), ("hybrid", "moge-2-vits-normal")),
    ],
)
def test_what_runs_where_nobody_chose_is_what_the_record_says(
    preferred: str, named: tuple[str, str], chosen: tuple[str, str], monkeypatch
) -> None:
    """Demo, node and command line ask here alone: else a user compares two different things."""
    monkeypatch.setattr("dens3r_ros.model_store.choice.default_model", lambda: preferred)
    found = choose_engine(*named)
    assert (found.engine, found.model) == chosen and found.why
    assert isinstance(found, Choice)


def test_that_the_small_network_stands_in_for_one_that_was_not_named_is_said(caplog) -> None:
    """Else a user takes its rough depth for what the hybrid engine can do."""
    load_engine("hybrid")
    assert "none of single images" in caplog.text and "dens3r-tiny" in caplog.text


def test_a_file_of_a_network_of_single_images_runs_beside_geometry(tmp_path: Path) -> None:
    """It knows nothing of motion: by itself it would end in an error."""
    description = DepthAnythingDescription(
        encoder=DinoSize(64, 4, 4, 128, norm_epsilon=1e-5),
        head=DenseSize((8, 12, 16, 24), 8),
        hooks=(0, 1, 2, 3),
        metric=False,
    )
    path = tmp_path / "seeing.safetensors"
    save_network(DepthAnythingNetwork(description), path)
    assert choose_engine("auto", str(path)).engine == "hybrid"
    engine = load_engine("auto", str(path), device="cpu")
    assert isinstance(engine, HybridEngine) and engine.info.model == "seeing"


def test_a_device_that_is_not_there_is_told_before_the_network_is_read(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(
        "dens3r_ros.engines.loading.load_named_network", lambda _: pytest.fail("it was read")
    )
    with pytest.raises(ValueError, match="sees no CUDA device"):
        load_engine("torch", "random:dust3r-512-dpt", device="cuda")


@pytest.mark.parametrize(
    ("name", "model", "says"),
    [
        ("tensorflow", "", "none of auto, torch, onnx, geometric"),
        ("nowhere:factory", "", "cannot be imported"),
        (f"{__name__}:not_an_engine", "", "gave int, which lacks"),
        ("torch", "no-such-model", "no model is named"),
        ("torch", "random:gpt", "no network is named 'gpt'"),
    ],
)
def test_wrong_names_are_answered_in_a_sentence(name: str, model: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_engine(name, model)


def test_weights_are_not_taken_for_an_export(weights: Path) -> None:
    with pytest.raises(ValueError, match=r"dens3r export --model .*small\.safetensors --out DIR"):
        load_engine("onnx", str(weights))


def test_a_file_of_another_model_under_a_name_is_told(weights: Path, monkeypatch) -> None:
    """A giant where small is named would take minutes to show that it is none."""
    monkeypatch.setattr("dens3r_ros.engines.loading.resolve_model", lambda _: weights)
    with pytest.raises(ValueError, match=r"file of da3-small holds .* not of 34: another model"):
        load_engine("torch", "da3-small", device="cpu")


def test_random_networks_have_the_published_sizes() -> None:
    known = {name: entry.parameters for name, entry in load_manifest().items()}
    for name, description in DESCRIPTIONS.items():
        with torch.device("meta"):
            parameters = Network(description).info.parameters
        published = known[name]
        # Published files also hold a few tensors that nothing uses.
        assert published is None or parameters == pytest.approx(published, rel=0.005), name


def test_a_network_sees_images_of_the_size_asked_for(weights: Path) -> None:
    """On a laptop the size decides whether a network is live at all."""
    frame = Frame(np.zeros((75, 100, 3), np.uint8), 1)
    engine = load_engine("torch", str(weights), device="cpu", size=64)
    assert engine.info.image_size == 64
    assert engine.encode([frame])[0].placement.size == (48, 64)
    beside = load_engine("hybrid", str(weights), device="cpu", max_side=80, size=64)
    assert isinstance(beside, HybridEngine)
    assert beside.network.predict(frame).placement.size == (48, 64)
    assert beside.encode([frame])[0].placement.size == (60, 80)


@pytest.mark.parametrize("name", ["torch", "hybrid"])
def test_a_size_that_no_network_can_see_at_is_told(weights: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"size of 20 pixels is too small.*64 at least"):
        load_engine(name, str(weights), device="cpu", size=20)
