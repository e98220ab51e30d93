# SPDX-License-Identifier: Apache-2.0
"""An exported network must run without PyTorch, give PyTorch's numbers, and never change hardware
without a word."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_network

pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
pytest.importorskip("onnxscript", reason="the onnx extra is not installed")

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.onnx import providers as onnx_providers
from dens3r_ros.engines.onnx.engine import OnnxEngine
from dens3r_ros.engines.onnx.export import export_network
from dens3r_ros.engines.onnx.manifest import Part, load_export
from dens3r_ros.engines.onnx.providers import CPU, CUDA, TENSORRT, choose_providers, engine_cache
from dens3r_ros.engines.onnx.sessions import OnnxConfig
from dens3r_ros.engines.onnx.verify import differences
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "small"
    export_network(small_network(), folder, "small")
    return folder


def frames(count: int, size: tuple[int, int] = (96, 128)) -> list[Frame]:
    random = np.random.default_rng(1)
    return [Frame(random.integers(0, 256, (*size, 3), np.uint8), n) for n in range(count)]


def test_every_map_equals_torch(exported: Path) -> None:
    errors = differences(exported, small_network())
    assert len(errors) == 10 and max(errors.values()) < 1e-3


def test_the_engine_keeps_the_contract_in_batches_of_any_size(exported: Path) -> None:
    engine = load_engine("auto", str(exported), device="cpu")
    reference = TorchEngine(small_network(), TorchConfig("cpu", "fp32"))
    assert isinstance(engine, OnnxEngine) and isinstance(engine, Engine)
    assert engine.info.model_hash == reference.info.model_hash == fingerprint(small_network())
    images = frames(3)
    for pairs in ([(0, 1)], [(0, 1), (1, 2), (2, 2)]):
        found, expected = (
            one.decode([(seen[a], seen[b]) for a, b in pairs], Outputs("ab", "a", "b"))
            for one, seen in ((one, one.encode(images)) for one in (engine, reference))
        )
        for name in (field.name for field in fields(found)):
            value, truth = getattr(found, name), getattr(expected, name)
            assert (value is None) == (truth is None), name
            if truth is not None:
                torch.testing.assert_close(value, truth, atol=1e-4, rtol=1e-3)


def test_heads_that_nobody_reads_are_not_even_loaded(exported: Path) -> None:
    engine = OnnxEngine(exported, OnnxConfig("cpu"))
    (a,) = engine.encode(frames(1))
    engine.decode([(a, a)], Outputs("a", "", ""))
    assert engine.sessions.opened == {"encoder", "decoder", "points_a"}


def test_images_of_another_shape_are_cut_to_the_exports(exported: Path) -> None:
    engine = OnnxEngine(exported, OnnxConfig("cpu"))
    (a,) = engine.encode(frames(1, (480, 500)))
    assert a.placement.size == (96, 128)
    assert engine.decode([(a, a)], Outputs()).points_a.shape == (1, 96, 128, 3)  # type: ignore[union-attr]


def test_onnxruntime_alone_runs_it(exported: Path) -> None:
    program = """
import json, pathlib, sys
import numpy, onnxruntime
folder = pathlib.Path(sys.argv[1])
export = json.loads((folder / "export.json").read_text())
run = lambda part, feeds: onnxruntime.InferenceSession(folder / export["parts"][part]["file"]).run(
    None, {name: feeds[name] for name in export["parts"][part]["inputs"]})
images = numpy.load(sys.argv[2])
(tokens,) = run("encoder", {"images": images})
decoded = run("decoder", {"tokens_a": tokens[:1], "tokens_b": tokens[1:]})
states = dict(zip(export["parts"]["decoder"]["outputs"], decoded))
layers = {"layer_" + name[2:]: state for name, state in states.items() if name[0] == "a"}
points, confidence = run("points_a", {"layer_0": tokens[:1], **layers})
assert "torch" not in sys.modules
numpy.save(sys.argv[3], points)
"""
    images = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    given, result = exported.with_name("images.npy"), exported.with_name("points.npy")
    np.save(given, images.numpy())
    subprocess.run([sys.executable, "-c", program, exported, given, result], check=True)
    expected = small_network()(images[:1], images[1:]).points_a
    np.testing.assert_allclose(np.load(result), expected.numpy(), atol=1e-4, rtol=1e-3)


def test_portraits_are_turned_for_networks_that_want_it(exported: Path, tmp_path: Path) -> None:
    network = small_network(turn_portraits=True)
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    replace(load_export(exported), description=network.description.to_json()).save(tmp_path)
    engine = OnnxEngine(tmp_path, OnnxConfig("cpu"))
    reference = TorchEngine(network, TorchConfig("cpu", "fp32"))
    image = frames(1, (128, 96))
    (a,), (b,) = engine.encode(image), reference.encode(image)
    found = engine.decode([(a, a)], Outputs()).points_a
    expected = reference.decode([(b, b)], Outputs()).points_a
    assert found is not None and expected is not None and found.shape == (1, 128, 96, 3)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_half_precision_is_near(tmp_path: Path) -> None:
    changes = {"head": "linear", "descriptors": None, "normals": False}
    export_network(small_network(**changes), tmp_path / "out", "half", precision="fp16")
    errors = differences(tmp_path / "out", small_network(**changes))
    assert 1e-5 < max(errors.values()) < 5e-2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": (100, 128)}, "128x100 is no multiple of the patch size, 16"),
        ({"precision": "int8"}, "precision 'int8' is none of fp32, fp16"),
    ],
)
def test_what_cannot_be_exported_is_told(
    change: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        export_network(small_network(), tmp_path / "x", "small", **change)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_a_folder_in_use_is_left_alone(exported: Path) -> None:
    with pytest.raises(ValueError, match="is not empty"):
        export_network(small_network(), exported, "small")


def test_a_damaged_export_is_named(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an exported network"):
        load_export(tmp_path)
    manifest = load_export(exported)
    manifest.save(tmp_path)
    with pytest.raises(ValueError, match=r"lacks encoder\.onnx"):
        load_export(tmp_path)
    replace(manifest, format=99).save(tmp_path)
    with pytest.raises(ValueError, match="format 99"):
        load_export(tmp_path)


def test_providers_are_tried_in_order(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_providers("auto", [CPU, CUDA, TENSORRT]) == [TENSORRT, CUDA, CPU]
    assert choose_providers("auto", [CPU]) == [CPU]
    assert choose_providers("cpu", [CPU, CUDA]) == [CPU]
    assert choose_providers("cuda:1", [CUDA, CPU]) == [CUDA, CPU]
    assert not caplog.records
    with pytest.raises(ValueError, match="tpu"):
        choose_providers("tpu", [CPU])


def test_a_missing_gpu_is_warned_about(exported: Path, caplog: pytest.LogCaptureFixture) -> None:
    import onnxruntime

    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with caplog.at_level(logging.WARNING):
        engine = OnnxEngine(exported, OnnxConfig("cuda"))
    assert engine.info.device == "CPU"
    assert "onnxruntime-gpu" in caplog.text


def test_a_provider_that_fails_is_warned_about(
    exported: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import onnxruntime

    real = onnxruntime.InferenceSession

    def failing(path: str, options: object, providers: list[tuple[str, dict[str, object]]]):  # type: ignore[no-untyped-def]
        if providers[0][0] == CUDA:
            raise RuntimeError("no kernel image for this device")
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", failing)
    with caplog.at_level(logging.WARNING):
        assert OnnxEngine(exported).info.device == "CPU"
    assert "no kernel image for this device" in caplog.text


def test_built_engines_are_kept_apart(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine built for other weights, sizes or libraries gives wrong numbers or none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    manifest = load_export(exported)
    folder = engine_cache(manifest)
    assert folder.is_relative_to(tmp_path) and folder == engine_cache(manifest)
    others = [
        engine_cache(replace(manifest, weights="other")),
        engine_cache(replace(manifest, size=(64, 64))),
        engine_cache(replace(manifest, precision="fp16")),
    ]
    monkeypatch.setattr(onnx_providers, "_versions", lambda: {"onnxruntime": "0.1"})
    others.append(engine_cache(manifest))
    monkeypatch.setattr(onnx_providers, "_device_name", lambda index: "another GPU")
    others.append(engine_cache(manifest))
    assert len({folder, *others}) == 6


def test_tensorrt_plans_for_the_parts_own_inputs(exported: Path) -> None:
    part = Part("decoder.onnx", {"tokens_a": (48, 64), "tokens_b": (48, 64)}, ("a_4", "b_4"))
    names = [TENSORRT, CUDA, CPU]
    providers = dict(onnx_providers.with_options(names, load_export(exported), part, "cuda:1"))
    assert list(providers) == names
    assert providers[TENSORRT]["trt_profile_max_shapes"] == "tokens_a:8x48x64,tokens_b:8x48x64"
    assert providers[TENSORRT]["device_id"] == providers[CUDA]["device_id"] == 1
