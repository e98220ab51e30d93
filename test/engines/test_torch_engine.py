# SPDX-License-Identifier: Apache-2.0
"""An engine that recomputes, mixes up pairs or views, or dies where less memory would do, makes
every map and every frame rate wrong."""

from __future__ import annotations

import gc
import logging
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_network
from torch import Tensor

from dens3r_ros.engines import torch_engine as module
from dens3r_ros.engines.cpu.kernels import OneDnnLinear, use_onednn
from dens3r_ros.engines.memory import OutOfMemory
from dens3r_ros.engines.precision import choose_device, choose_precision
from dens3r_ros.engines.preprocess import normalise, prepare
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network import load_network, save_network
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.pairwise.portrait import turn_back, turn_images
from dens3r_ros.network.prediction import PairPrediction

EXACT = TorchConfig("cpu", "fp32")


def frame(seed: int, size: tuple[int, int] = (96, 128)) -> Frame:
    camera = Intrinsics(100, 100, size[1] / 2, size[0] / 2, size[1], size[0])
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return Frame(image, seed, "camera", camera)


def tensor(image: Frame) -> Tensor:
    return normalise(torch.from_numpy(image.image.copy())[None])


def maps(prediction: PairPrediction) -> dict[str, Tensor]:
    named = {field.name: getattr(prediction, field.name) for field in fields(prediction)}
    return {name: value for name, value in named.items() if value is not None}


def test_batched_pairs_equal_the_whole_network_on_each() -> None:
    network, engine = small_network(), TorchEngine(small_network(), EXACT)
    assert isinstance(engine, Engine)
    frames = [frame(seed) for seed in range(3)]
    features = engine.encode(frames)
    pairs = [(0, 1), (2, 0), (1, 1)]
    found = maps(engine.decode([(features[a], features[b]) for a, b in pairs], Outputs()))
    for n, (a, b) in enumerate(pairs):
        expected = maps(network(tensor(frames[a]), tensor(frames[b])))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name][n : n + 1], value, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (Outputs("ab", "", ""), {"points_a", "points_b", "confidence_a", "confidence_b"}),
        (Outputs("a", "b", ""), {"points_a", "confidence_a", "normals_b"}),
        (Outputs("", "", "b"), {"descriptors_b", "descriptor_confidence_b"}),
        (Outputs("", "", ""), set()),
    ],
)
def test_only_the_heads_asked_for_run(
    outputs: Outputs, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TorchEngine(small_network(), EXACT)
    ran: list[str] = []
    for head in ("points", "normals", "descriptors"):
        original = getattr(Network, head)
        monkeypatch.setattr(Network, head, lambda *a, h=head, o=original: (ran.append(h), o(*a))[1])
    features = engine.encode([frame(0)])
    assert maps(engine.decode([(features[0], features[0])], outputs)).keys() == names
    wanted = outputs.points, outputs.normals, outputs.descriptors
    assert len(ran) == sum(map(len, wanted))


def test_a_frame_is_encoded_once_however_often_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = TorchEngine(small_network(), EXACT)
    images = 0
    original = Network.encode

    def counting(self: Network, batch: Tensor) -> Tokens:
        nonlocal images
        images += len(batch)
        return original(self, batch)

    monkeypatch.setattr(Network, "encode", counting)
    a, b, c = engine.encode([frame(0), frame(1), frame(2, (128, 96))])
    engine.decode([(a, b), (b, a)], Outputs())
    engine.decode([(a, c)], Outputs("a", "", ""))
    assert images == 3


def test_portraits_come_back_upright() -> None:
    engine = TorchEngine(small_network(turn_portraits=True), EXACT)
    network = small_network(turn_portraits=True)
    tall, wide = frame(4, (128, 96)), frame(5)
    a, b = engine.encode([tall, wide])
    assert a.placement.size == (128, 96) and a.placement.quarter_turns == 0
    assert a.intrinsics is not None and (a.intrinsics.height, a.intrinsics.width) == (128, 96)
    found = maps(engine.decode([(a, b)], Outputs()))
    whole = network(turn_images(tensor(tall)), tensor(wide))
    for name, value in maps(turn_back(whole, a=True, b=False)).items():
        torch.testing.assert_close(found[name], value, atol=2e-5, rtol=1e-4)
    assert found["points_a"].shape == (1, 128, 96, 3)


def test_half_precision_stays_close() -> None:
    exact, half = (TorchEngine(small_network(), TorchConfig("cpu", p)) for p in ("fp32", "bf16"))
    results = []
    for engine in (exact, half):
        a, b = engine.encode([frame(0), frame(1)])
        results.append(maps(engine.decode([(a, b)], Outputs("ab", "", ""))))
    for name, value in results[0].items():
        assert results[1][name].dtype == torch.float32
        error = (results[1][name] - value).abs().mean() / value.abs().mean()
        assert 0 < error < 0.02, name


def test_half_precision_lets_the_file_go(tmp_path: Path) -> None:
    """Or the weights take half as much memory again."""
    path = tmp_path / "weights.safetensors"
    save_network(small_network(), path)
    engine = TorchEngine(load_network(path), TorchConfig("cpu", "bf16"))
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert engine.encode([frame(0)])


class Hungry:
    """Stands before a function and runs out of memory for batches above a size."""

    def __init__(self, function, limit: int) -> None:  # type: ignore[no-untyped-def]
        self.function, self.limit, self.batches = function, limit, []

    def __call__(self, batch: Tensor, *rest: object):  # type: ignore[no-untyped-def]
        self.batches.append(len(batch))
        if len(batch) > self.limit:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes")
        return self.function(batch, *rest)


def test_running_out_of_memory_is_retried_once_at_half_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, reference = (TorchEngine(small_network(), EXACT) for _ in range(2))
    engine._encoder, engine._decoder = Hungry(engine._encoder, 2), Hungry(engine._decoder, 2)
    frames = [frame(seed) for seed in range(3)]
    with caplog.at_level(logging.WARNING):
        features = engine.encode(frames)
    assert engine._encoder.batches == [3, 2, 1]
    assert "3 x images of 128x96" in caplog.text and "GiB free" in caplog.text
    pairs = [(0, 1), (1, 2), (2, 0)]
    found = engine.decode([(features[a], features[b]) for a, b in pairs], Outputs())
    expected = reference.encode(frames)
    whole = reference.decode([(expected[a], expected[b]) for a, b in pairs], Outputs())
    for name, value in maps(whole).items():
        torch.testing.assert_close(maps(found)[name], value, atol=2e-5, rtol=1e-4)


def test_too_little_memory_for_half_a_batch_is_told_with_sizes() -> None:
    engine = TorchEngine(small_network(), EXACT)
    engine._encoder = Hungry(engine._encoder, 0)
    with pytest.raises(OutOfMemory, match=r"4 x images of 128x96 .*half as many"):
        engine.encode([frame(seed) for seed in range(4)])
    assert engine._encoder.batches == [4, 2]
    with pytest.raises(OutOfMemory, match=r"1 x images of 128x96 .*use smaller images"):
        engine.encode([frame(0)])


def test_other_faults_are_not_taken_for_lack_of_memory() -> None:
    engine = TorchEngine(small_network(), EXACT)

    def broken(images: Tensor) -> Tensor:
        raise RuntimeError("something else")

    engine._encoder = broken
    with pytest.raises(RuntimeError, match="something else"):
        engine.encode([frame(0), frame(1)])


def test_unequal_pairs_are_refused_with_their_sizes() -> None:
    engine = TorchEngine(small_network(), EXACT)
    a, b = engine.encode([frame(0), frame(1, (128, 96))])
    with pytest.raises(ValueError, match=r"equal sizes.*128x96, 96x128"):
        engine.decode([(a, a), (b, a)], Outputs())


@pytest.mark.parametrize("packs", [False, True])
def test_onednn_layers_give_the_same_numbers(packs: bool) -> None:
    plain, fast = small_network(), small_network()
    images = torch.rand(2, 3, 96, 128) * 2 - 1
    if not use_onednn(fast, packs=packs):
        pytest.skip("oneDNN's linear layers are not to be had on this machine")
    assert any(isinstance(layer, OneDnnLinear) for layer in fast.modules())
    names = [{name for name, _ in one.named_parameters()} for one in (fast, plain)]
    assert (names[0] == names[1]) is not packs, "weights are shared where they are not packed"
    for name, value in maps(plain(images, images.flip(0))).items():
        other = maps(fast(images, images.flip(0)))[name]
        torch.testing.assert_close(other, value, atol=2e-5, rtol=1e-4)


def test_a_device_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ValueError, match="sees no CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


def test_unknown_precision_is_named() -> None:
    with pytest.raises(ValueError, match="fp23"):
        choose_precision("fp23", torch.device("cpu"))


def test_warm_up_runs_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(small_network(), EXACT)
    seen: list[Outputs] = []
    monkeypatch.setattr(
        module,
        "wanted_maps",
        lambda network, states, outputs: seen.append(outputs) or {},
    )
    engine.warm_up((48, 64))
    assert seen == [Outputs()]


def test_prepared_frames_reach_the_network_at_its_size() -> None:
    engine = TorchEngine(small_network(), TorchConfig("cpu", "fp32", max_side=64))
    (features,) = engine.encode([frame(0, (480, 640))])
    assert features.placement.size == (48, 64)
    assert prepare(features.frame, engine.sizing).pixels.shape == (48, 64, 3)
