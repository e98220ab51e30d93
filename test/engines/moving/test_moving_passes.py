# SPDX-License-Identifier: Apache-2.0
"""If these fail, what moves stays in a model that was asked to leave it out, or what stands still
is lost with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_network

from dens3r_ros.engines.moving.attention import masks_by_attention
from dens3r_ros.engines.moving.masks import MovingMasks, name_of
from dens3r_ros.engines.moving.pairs import FEWEST, TooFewImages, arrivals
from dens3r_ros.engines.moving.second_pass import MaskedAttention, WithoutMovers
from dens3r_ros.engines.preprocess import normalise
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.network.attention.motion import patch_masks
from dens3r_ros.network.attention.watching import watched_decode

EXACT = TorchConfig("cpu", "fp32")
POINTS = Outputs("ab", "", "")


def frames(count: int, size: tuple[int, int] = (96, 128)) -> list[Frame]:
    random = np.random.default_rng(5)
    return [Frame(random.integers(0, 256, (*size, 3), np.uint8), n) for n in range(count)]


def masked(given: list[Frame], mask: np.ndarray) -> MovingMasks:
    masks = MovingMasks()
    for frame in given:
        masks.put(name_of(frame.image), mask)
    return masks


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    return TorchEngine(small_network(), EXACT)


def test_every_image_meets_those_near_to_it_and_is_finished_once(engine: TorchEngine) -> None:
    seen = list(arrivals(engine, frames(14)))
    assert sorted(seen[9].partners) == [0, 2, 4, 6, 8]
    assert [n for one in seen for n in one.finished] == list(range(14))
    assert seen[13].finished == (4,), "no more is held than the farthest partner needs"


def test_too_few_images_are_told(engine: TorchEngine) -> None:
    with pytest.raises(TooFewImages, match="3 image"):
        list(arrivals(engine, frames(FEWEST - 1)))


def test_masks_by_attention_are_of_the_pixels_that_the_engine_works_on(
    engine: TorchEngine, tmp_path: Path
) -> None:
    given = frames(6)
    masks = masks_by_attention(engine, given)
    found = [masks.of(frame.image) for frame in given]
    assert all(mask is not None and mask.shape == (96, 128) for mask in found)
    assert 0 < masks.share < 0.6
    masks.save(tmp_path / "masks.npz")
    again = MovingMasks.load(tmp_path / "masks.npz")
    for frame, mask in zip(given, found, strict=True):
        np.testing.assert_array_equal(again.of(frame.image), mask)
    assert again.of(given[0].image + 1) is None


def test_what_moves_is_of_no_confidence_and_the_rest_as_before(engine: TorchEngine) -> None:
    given = frames(2)
    mask = np.zeros((96, 128), bool)
    mask[20:50, 30:70] = True
    left_out = WithoutMovers(engine, masked(given, mask))
    assert isinstance(left_out, Engine)
    pair = [tuple(left_out.encode(given))]
    found, plain = left_out.decode(pair, POINTS), engine.decode(pair, POINTS)
    for view in "ab":
        own, wanted = (getattr(one, f"confidence_{view}")[0].numpy() for one in (found, plain))
        assert (own[mask] == 1.0).all()
        np.testing.assert_array_equal(own[~mask], wanted[~mask])
    np.testing.assert_array_equal(found.points_a, plain.points_a)


def test_masked_attention_hides_movers_from_what_stands(engine: TorchEngine) -> None:
    given = frames(2)
    mask = np.zeros((96, 128), bool)
    mask[16:48, 32:64] = True
    second = MaskedAttention(engine, masked(given, mask))
    found = second.decode([tuple(second.encode(given))], POINTS)
    network, patches = engine.network, patch_masks(torch.from_numpy(mask)[None], 16)
    tokens = [network.encode(normalise(torch.from_numpy(one.image[None]))) for one in given]
    states = watched_decode(network, *tokens, (patches, patches)).states
    points, _ = network.points(states[0], "a")
    torch.testing.assert_close(found.points_a, points, rtol=1e-4, atol=1e-4)
    plain = engine.decode([tuple(engine.encode(given))], POINTS)
    assert (found.points_a - plain.points_a).abs().max() > 1e-3, "the mask does something"


def test_without_masks_the_second_pass_is_the_first(engine: TorchEngine) -> None:
    given = frames(2)
    second = MaskedAttention(engine, MovingMasks())
    found = second.decode([tuple(second.encode(given))], POINTS)
    plain = engine.decode([tuple(engine.encode(given))], POINTS)
    torch.testing.assert_close(found.points_b, plain.points_b, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.confidence_a, plain.confidence_a, rtol=1e-4, atol=1e-4)


def test_turned_images_keep_masks_on_their_own_pixels() -> None:
    turning = TorchEngine(small_network(turn_portraits=True), EXACT)
    given = frames(5, size=(128, 96))
    masks = masks_by_attention(turning, given)
    found = masks.of(given[0].image)
    assert found is not None and found.shape == (128, 96)
    second = MaskedAttention(turning, masks)
    confidence = second.decode([tuple(second.encode(given[:2]))], POINTS).confidence_a
    assert confidence is not None and (confidence[0].numpy()[found] == 1.0).all()
