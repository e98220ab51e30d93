# SPDX-License-Identifier: Apache-2.0
"""If these fail, DAS3R and Align3R do not run, or run on something else than their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.family.align3r import Align3REngine, alone_points
from dens3r_ros.engines.family.das3r import Das3rEngine
from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.monocular import MonocularInfo, MonocularPrediction
from dens3r_ros.engines.moving.network import masks_by_network
from dens3r_ros.engines.preprocess import Sizing, normalise, place, prepare
from dens3r_ros.engines.protocol import MotionTellingEngine, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig, sizing_of
from dens3r_ros.frame import Frame
from dens3r_ros.model_store.manifest import ModelError
from dens3r_ros.network.descendants.align3r import normalised_points
from dens3r_ros.network.descendants.base import DescendantNetwork

EXACT, POINTS = TorchConfig("cpu", "fp32"), Outputs("ab", "", "")


def frames(count: int) -> list[Frame]:
    random = np.random.default_rng(5)
    return [Frame(random.integers(0, 256, (64, 64, 3), np.uint8), n) for n in range(count)]


def images(given: list[Frame], network: DescendantNetwork) -> list[torch.Tensor]:
    sizing = sizing_of(network.info)
    return [normalise(torch.from_numpy(prepare(one, sizing).pixels[None])) for one in given]


class Slope:
    """A network that sees depth grow from left to right, twice as fine as the image."""

    info = MonocularInfo("slope", "slope", "0", False, 0.0, False, "cpu")

    def predict(self, frame: Frame) -> MonocularPrediction:
        placement = place(frame.size, Sizing(patch=16, long_side=128, square_ok=True))
        height, width = placement.size
        depth = np.tile(np.linspace(1, 3, width, dtype=np.float32), (height, 1))
        return MonocularPrediction(depth, np.ones_like(depth), None, None, placement)


def test_das3r_tells_what_the_network_tells(
    checkpoint: Callable[[str], Path], small: Callable[[str], DescendantNetwork]
) -> None:
    engine = load_engine("auto", str(checkpoint("das3r")), "cpu", "fp32")
    assert isinstance(engine, Das3rEngine) and isinstance(engine, MotionTellingEngine)
    given = frames(6)
    network = small("das3r")
    prediction, masks = network(*images(given[:2], network))
    features = engine.encode(given[:2])
    found = engine.decode([tuple(features)], POINTS)
    torch.testing.assert_close(found.points_b, prediction.points_b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(engine.moving(*features), masks[0][0], rtol=1e-4, atol=1e-4)
    kept = masks_by_network(engine, given)
    assert len(kept) == 6 and kept.of(given[3].image).shape == features[0].placement.size


def test_align3r_is_told_the_depth_of_its_own_pixels(
    small: Callable[[str], DescendantNetwork],
) -> None:
    engine = Align3REngine(small("align3r"), Slope(), EXACT)
    given = frames(2)
    found = engine.decode([tuple(engine.encode(given))], POINTS)
    network = small("align3r")
    clouds = [
        torch.from_numpy(alone_points(Slope().predict(one), _placed(one, network)))[None]
        for one in given
    ]
    expected = network(*images(given, network), *clouds)
    torch.testing.assert_close(found.points_b, expected.points_b, rtol=1e-4, atol=1e-4)
    blind = network(*images(given, network), *(torch.zeros_like(cloud) for cloud in clouds))
    assert (blind.points_b - found.points_b).abs().max() > 1e-4, "the depth does something"


def _placed(frame: Frame, network: DescendantNetwork):  # type: ignore[no-untyped-def]
    return prepare(frame, sizing_of(network.info)).placement


def test_points_are_brought_to_the_pixels_that_show_the_same() -> None:
    seen = Slope().predict(frames(1)[0])
    same = alone_points(seen, seen.placement)
    wanted = normalised_points(torch.from_numpy(seen.depth)[None], 1.0)[0]
    np.testing.assert_allclose(same, wanted, atol=1e-6)
    half = replace(seen.placement, resized=(64, 64), size=(64, 48), left=8)
    cut = alone_points(seen, half)
    np.testing.assert_allclose(cut[:, :, 2], (same[::2, 16:112:2, 2] + same[1::2, 17:113:2, 2]) / 2)


def test_align3r_without_a_network_for_depth_says_which_to_get(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="dens3r models fetch moge-2-vits-normal"):
        load_engine("torch", str(checkpoint("align3r")), device="cpu")
