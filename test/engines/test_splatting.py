# SPDX-License-Identifier: Apache-2.0
"""Networks that predict splats are of use only if what they say arrives: in the frame, order and
unit that `Splats` names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.loading import load_engine, load_splatting
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.splatting.engine import FRAME, PairSplatting, SplattingEngine
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.model_store.manifest import ModelError, load_manifest
from dens3r_ros.network import build_network, save_network
from dens3r_ros.network.descendants.gaussians import PixelSplats

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "descendants"
CPU = TorchConfig(device="cpu", precision="fp32")
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)


def saved(name: str, folder: Path) -> Path:
    fixture = Fixture(FIXTURES / f"{name}_small.npz")
    config = fixture.config.get("kw") or fixture.config["dims"]
    save_network(build_network(fixture.weights(), config, name), folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    return {name: saved(name, folder) for name in ("splatt3r", "noposplat")}


def frames(count: int, height: int, width: int) -> list[Frame]:
    random = np.random.default_rng(0)
    camera = Intrinsics(0.9 * width, 0.9 * width, (width - 1) / 2, (height - 1) / 2, width, height)
    images = random.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [Frame(image, n, intrinsics=camera) for n, image in enumerate(images)]


def as_arrays(splats: PixelSplats) -> dict[str, np.ndarray]:
    """What a network gave, all pixels of all views in a row."""
    return {
        "means": splats.means.reshape(-1, 3).numpy(),
        "log_scales": splats.scales.reshape(-1, 3).log().numpy(),
        "opacities": splats.opacities.reshape(-1).numpy(),
        "harmonics": splats.harmonics.flatten(0, -3).mT.numpy(),
    }


@needs_fixtures
def test_splatt3r_gives_splats_beside_the_points_of_its_pairs(files) -> None:
    engine = load_splatting(str(files["splatt3r"]), "cpu", "fp32", max_side=64)
    assert isinstance(engine, SplattingEngine) and isinstance(engine, PairSplatting)
    features = engine.encode(frames(2, 48, 64))
    splats = engine.splats(features)
    assert (splats.frame, splats.metric, splats.degree) == (FRAME, True, 0)
    assert len(splats) == 2 * 48 * 64
    images = torch.from_numpy(np.stack([f.frame.image for f in features]))
    images = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        expected = as_arrays(engine.whole(images[:1], images[1:])[1])
    for name, values in expected.items():
        assert np.allclose(getattr(splats, name), values, atol=1e-4), name
    decoded = engine.decode([(features[0], features[1])], Outputs())
    assert decoded.points_b is not None and decoded.points_b.shape == (1, 48, 64, 3)


@needs_fixtures
def test_splatt3r_is_an_engine_for_mapping_too(files) -> None:
    engine = load_engine("torch", str(files["splatt3r"]), "cpu", "fp32", 64)
    assert isinstance(engine, Engine) and engine.info.metric and engine.info.descriptors


@needs_fixtures
@pytest.mark.parametrize("count", [2, 3])
def test_noposplat_looks_at_two_or_three_images_and_their_intrinsics(files, count: int) -> None:
    engine = load_splatting(str(files["noposplat"]), "cpu", "fp32", max_side=64)
    given = frames(count, 64, 64)
    splats = engine.splats(engine.encode(given))
    assert (splats.frame, splats.metric, len(splats)) == (FRAME, False, count * 64 * 64)
    images = torch.from_numpy(np.stack([frame.image for frame in given]))
    images = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    K = torch.tensor([[0.9, 0, 0.5], [0, 0.9, 0.5], [0, 0, 1]]).expand(1, count, 3, 3)
    with torch.inference_mode():
        expected = as_arrays(engine.network(images[None], K))
    for name, values in expected.items():
        assert np.allclose(getattr(splats, name), values, atol=1e-4), name
    with pytest.raises(ValueError, match="2 to 3 images, not of 1"):
        engine.splats(engine.encode(given[:1]))


@needs_fixtures
def test_noposplat_without_intrinsics_and_as_a_mapper_s_engine_is_a_sentence(files) -> None:
    engine = load_splatting(str(files["noposplat"]), "cpu", "fp32", max_side=64)
    with pytest.raises(ValueError, match="needs the intrinsics"):
        engine.encode([replace(frames(1, 64, 64)[0], intrinsics=None)])
    with pytest.raises(ModelError, match="predicts splats and nothing that a map"):
        load_engine("torch", str(files["noposplat"]), "cpu", "fp32", 64)


def test_other_networks_predict_none() -> None:
    with pytest.raises(ModelError, match="predicts no splats"):
        load_splatting("dens3r-tiny", "cpu", "fp32")


def test_their_weights_are_listed_and_not_for_commerce() -> None:
    entries = [e for e in load_manifest().values() if e.family in ("Splatt3R", "NoPoSplat")]
    assert {entry.name for entry in entries} >= {"splatt3r", "noposplat-re10k"}
    assert not any(entry.licence.commercial or entry.licence.free for entry in entries)
