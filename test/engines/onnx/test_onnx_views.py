# SPDX-License-Identifier: Apache-2.0
"""Networks of many views and of one image run by onnxruntime too, and with PyTorch's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
pytest.importorskip("onnxscript", reason="the onnx extra is not installed")

from dens3r_ros.engines.hybrid import HybridEngine
from dens3r_ros.engines.loading import choose_engine, load_engine, load_monocular
from dens3r_ros.engines.onnx import export as onnx_export
from dens3r_ros.engines.onnx.export import export_network
from dens3r_ros.engines.onnx.single import OnnxSingleView
from dens3r_ros.engines.onnx.verify import differences
from dens3r_ros.engines.onnx.views import OnnxViewsEngine
from dens3r_ros.engines.protocol import Outputs, WindowEngine
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views.engine import ViewsEngine
from dens3r_ros.frame import Frame
from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingDescription,
    DepthAnythingNetwork,
)
from dens3r_ros.network.monocular.moge.description import (
    Moge1Description,
    Moge2Description,
    StackSize,
)
from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.monocular.moge.second import Moge2
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import (
    AnyViewDescription,
    CameraHeadSize,
    DenseSize,
    VggtDescription,
)
from dens3r_ros.network.multiview.vggt.network import VggtNetwork
from dens3r_ros.network.parts.blocks import BlockSize
from dens3r_ros.network.parts.dinov2 import DinoSize
from dens3r_ros.network.retrieval.head import RetrievalDescription, RetrievalHead

SIZE = (42, 56)
VIT = DinoSize(32, 2, 2, 64)
HEAD = DenseSize((8, 12, 16, 24), 8)


def any_view() -> AnyViewNetwork:
    encoder = DinoSize(32, 4, 2, 64, norm_epsilon=1e-5)
    return AnyViewNetwork(AnyViewDescription(encoder, HEAD, 1, 1, 1, (0, 1, 2, 3), None))


def vggt() -> VggtNetwork:
    encoder = DinoSize(32, 1, 2, 64, registers=2, resampling="size")
    block, camera = BlockSize(32, 2, 64, qk_norm=True), CameraHeadSize(1, 2, 2)
    return VggtNetwork(VggtDescription(encoder, block, 4, 3, HEAD, (0, 1, 2, 3), camera))


def depth_anything() -> DepthAnythingNetwork:
    encoder = DinoSize(32, 4, 2, 64, norm_epsilon=1e-5)
    return DepthAnythingNetwork(DepthAnythingDescription(encoder, HEAD, (0, 1, 2, 3), metric=True))


def moge1() -> Moge1:
    return Moge1(Moge1Description(VIT, (0, 1), 16, "exp", (12, 20), "", (8,), (32,), (1,), 8))


def moge2() -> Moge2:
    neck = StackSize((18, 2), (16, 8), (32, 16), (0, 1), (None, None), (True,))
    heads = [StackSize((16, 8), (8, 8), (8, 8), (0, 1), (None, n), (False,)) for n in (3, 1, 3)]
    points, mask, normals = heads
    told = {"neck": neck, "points_head": points, "mask_head": mask, "normal_head": normals}
    return Moge2(Moge2Description(VIT, (0, 1), 16, "exp", (12, 20), **told, scale=(32, 8, 1)))


MAKERS = {f.__name__: f for f in (any_view, vggt, depth_anything, moge1, moge2)}


def made(name: str) -> AnyNetwork:
    torch.manual_seed(7)
    network = MAKERS[name]()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


def frames(count: int, size: tuple[int, int] = SIZE) -> list[Frame]:
    random = np.random.default_rng(1)
    return [Frame(random.integers(0, 256, (*size, 3), np.uint8), n + 1) for n in range(count)]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    for name in MAKERS:
        export_network(made(name), folder / name, name, SIZE, level=3)
    return {name: folder / name for name in MAKERS}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_every_map_equals_torch(name: str, exports: dict[str, Path]) -> None:
    errors = differences(exports[name], made(name))
    assert len(errors) >= 2 and max(errors.values()) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["any_view", "vggt"])
@pytest.mark.parametrize("views", [1, 2, 3, 5])
def test_windows_of_any_number_of_views(name: str, views: int, exports: dict[str, Path]) -> None:
    engine = load_engine("auto", str(exports[name]), device="cpu")
    assert isinstance(engine, OnnxViewsEngine) and isinstance(engine, WindowEngine)
    reference = ViewsEngine(made(name), TorchConfig("cpu", "fp32", max(SIZE)))
    assert engine.info.model_hash == reference.info.model_hash and engine.info.name == "onnx"
    found, expected = (
        one.decode_window(one.encode(frames(views)), Outputs()).views for one in (engine, reference)
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.points, theirs.points, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(ours.confidence, theirs.confidence, atol=1e-4, rtol=1e-3)
        assert np.allclose(ours.T_first_view, theirs.T_first_view, atol=1e-4)
    first = engine.decode_window(engine.encode(frames(views)), Outputs(views=1)).views
    assert len(first) == 1
    torch.testing.assert_close(first[0].points, found[0].points, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_pairs_of_a_batch_and_wrong_numbers_of_views(exports: dict[str, Path]) -> None:
    engine = OnnxViewsEngine(exports["any_view"])
    a, b, c = engine.encode(frames(3, (50, 50)))
    assert a.placement.size == SIZE
    both, alone = (engine.decode(pairs, Outputs()) for pairs in ([(a, b), (c, a)], [(c, a)]))
    assert both.points_b is not None and alone.points_b is not None
    torch.testing.assert_close(both.points_b[1:], alone.points_b)
    with pytest.raises(ValueError, match="33 views cannot be looked at together; 1 to 32 can"):
        engine.decode_window([a] * 33, Outputs())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depth_anything", "moge1", "moge2"])
def test_single_images_go_beside_geometry(name: str, exports: dict[str, Path]) -> None:
    assert choose_engine("auto", str(exports[name])).engine == "hybrid"
    assert isinstance(load_engine("auto", str(exports[name])), HybridEngine)
    found = load_monocular(str(exports[name]), "cpu")
    assert isinstance(found, OnnxSingleView)
    seen = found.predict(frames(1, (90, 90))[0])
    assert seen.depth.shape == SIZE and (seen.normals is not None) == (name == "moge2")
    with pytest.raises(ValueError, match="run it beside geometry"):
        load_engine("onnx", str(exports[name]))
    with pytest.raises(ValueError, match="fixed when it is exported"):
        load_monocular(str(exports[name]), size=224)


@pytest.mark.slow
def test_a_network_can_be_used_after_it_was_exported(tmp_path: Path) -> None:
    network = made("depth_anything")
    export_network(network, tmp_path / "out", "x", SIZE)
    images = torch.rand(1, 3, 28, 70)
    fresh = made("depth_anything")
    torch.testing.assert_close(network(images).depth_raw, fresh(images).depth_raw)  # type: ignore[operator]


def test_other_networks_are_told_to_have_no_export(tmp_path: Path) -> None:
    head = RetrievalHead(RetrievalDescription(32))
    with pytest.raises(ValueError, match=r"x is of the family .*, which has no export"):
        export_network(head, tmp_path / "x", "x")
    with pytest.raises(ValueError, match="56x41 is no multiple of the patch size, 14"):
        export_network(made("any_view"), tmp_path / "x", "x", (41, 56))
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_an_export_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_export, "_export", full)
    with pytest.raises(OSError, match="No space left"):
        export_network(made("any_view"), tmp_path / "x", "x", SIZE)
    assert not list(tmp_path.iterdir())
