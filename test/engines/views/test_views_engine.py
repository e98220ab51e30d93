# SPDX-License-Identifier: Apache-2.0
"""Networks of many views run behind the same door as pairs; wrong poses would bend maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dens3r_ros.engines.protocol import Engine, Features, Outputs, WindowEngine
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views.engine import ViewsEngine, moved
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import AnyViewDescription, DenseSize
from dens3r_ros.network.parts.dinov2 import DinoSize

SIZE = (60, 80)


@pytest.fixture(scope="module")
def engine() -> ViewsEngine:
    torch.manual_seed(2)
    encoder = DinoSize(64, 4, 4, 128, norm_epsilon=1e-5)
    head = DenseSize((8, 12, 16, 24), 8)
    network = AnyViewNetwork(AnyViewDescription(encoder, head, 1, 1, 1, (0, 1, 2, 3)))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return ViewsEngine(network, TorchConfig("cpu", "fp32", max_side=70))


def frame(seed: int, size: tuple[int, int] = SIZE, known: bool = False) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    camera = Intrinsics(70.0, 71.0, 39.5, 29.5, size[1], size[0]) if known else None
    return Frame(image, seed, intrinsics=camera)


def features(engine: ViewsEngine, count: int, known: bool = False) -> list[Features]:
    return engine.encode([frame(seed + 1, known=known) for seed in range(count)])


def test_it_keeps_both_contracts(engine: ViewsEngine) -> None:
    assert isinstance(engine, Engine) and isinstance(engine, WindowEngine)
    assert engine.info.views > 2 and engine.info.patch == 14


def test_a_pair_is_a_window_of_two(engine: ViewsEngine) -> None:
    a, b = features(engine, 2)
    pair = engine.decode([(a, b)], Outputs())
    first, second = engine.decode_window([a, b], Outputs()).views
    assert torch.allclose(pair.points_a[0], first.points, atol=1e-5)
    assert torch.allclose(pair.points_b[0], moved(second.points, second.T_first_view), atol=1e-5)
    assert np.allclose(first.T_first_view, np.eye(4))
    assert np.allclose(np.linalg.det(second.T_first_view[:3, :3]), 1, atol=1e-5)


def test_pairs_of_a_batch_do_not_see_each_other(engine: ViewsEngine) -> None:
    a, b, c = features(engine, 3)
    both = engine.decode([(a, b), (c, a)], Outputs())
    alone = engine.decode([(c, a)], Outputs())
    assert torch.allclose(both.points_b[1], alone.points_b[0], atol=1e-5)


def test_frames_encoded_together_are_as_if_alone(engine: ViewsEngine) -> None:
    together = features(engine, 3)
    alone = engine.encode([together[2].frame])[0]
    assert torch.allclose(together[2].data.data, alone.data.data, atol=1e-5)
    held = together[2].data.data.untyped_storage().nbytes()
    assert held == 4 * together[2].data.data.numel(), "a kept view must not keep the whole batch"


def test_known_cameras_are_used_for_points(engine: ViewsEngine) -> None:
    view = engine.decode_window(features(engine, 2, known=True), Outputs()).views[1]
    camera = view.intrinsics
    assert abs(camera.fx - 70.0 * 70 / 80) < 1e-9
    y, x = np.mgrid[: camera.height, : camera.width]
    points = view.points.numpy()
    assert np.allclose(points[..., 0] / points[..., 2] * camera.fx + camera.cx, x, atol=1e-3)
    assert np.allclose(points[..., 1] / points[..., 2] * camera.fy + camera.cy, y, atol=1e-3)


def test_only_wanted_maps_come(engine: ViewsEngine) -> None:
    a, b = features(engine, 2)
    found = engine.decode([(a, b)], Outputs("a", "", ""))
    assert found.points_a is not None and found.points_b is None


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 views cannot.*1 to 32"), (33, "33 views cannot.*1 to 32")]
)
def test_too_few_or_too_many_views_are_told(engine: ViewsEngine, count: int, said: str) -> None:
    one = features(engine, 1)
    with pytest.raises(ValueError, match=said):
        engine.decode_window(one * count, Outputs())


@pytest.mark.parametrize("told", [1, 2, 3])
def test_views_that_are_only_looked_at_change_nothing(engine: ViewsEngine, told: int) -> None:
    window = features(engine, 4)
    whole = engine.decode_window(window, Outputs()).views
    some = engine.decode_window(window, Outputs(views=told)).views
    assert len(some) == told and len(engine.decode_window(window, Outputs(views=9)).views) == 4
    for one, other in zip(some, whole[:told], strict=True):
        torch.testing.assert_close(one.points, other.points, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(one.confidence, other.confidence, atol=1e-4, rtol=1e-3)
        assert np.allclose(one.T_first_view, other.T_first_view, atol=1e-4)


def test_views_of_different_sizes_are_told(engine: ViewsEngine) -> None:
    mixed = engine.encode([frame(1), frame(2, (80, 60))])
    with pytest.raises(ValueError, match="must have one size"):
        engine.decode([(mixed[0], mixed[1])], Outputs())


@pytest.mark.parametrize("size", [(61, 83), (75, 75), (97, 64)])
def test_images_that_are_no_multiple_of_the_patch_are_cut(
    engine: ViewsEngine, size: tuple[int, int]
) -> None:
    seen = engine.encode([frame(1, size)])
    height, width = seen[0].placement.size
    assert height % 14 == width % 14 == 0 and max(height, width) == 70
    assert engine.decode_window(seen, Outputs()).views[0].points.shape == (height, width, 3)


def test_one_view_alone_has_depth(engine: ViewsEngine) -> None:
    view = engine.decode_window(features(engine, 1), Outputs()).views[0]
    assert torch.isfinite(view.points).all() and bool((view.confidence >= 1).all())
