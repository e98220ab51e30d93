# SPDX-License-Identifier: Apache-2.0
"""If these fail, photos of one place are not found among others, or a codebook runs code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dens3r_ros.network import WeightsError
from dens3r_ros.network.retrieval.asmk import similarities, words_of
from dens3r_ros.network.retrieval.codebook import read_codebook
from dens3r_ros.network.retrieval.pair_graph import alike_pairs, key_images


@pytest.fixture
def places() -> list[np.ndarray]:
    """Features of nine images: three places, three images of each."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 25, 64))
    return [centres[n // 3] + 0.1 * generator.normal(size=(25, 64)) for n in range(9)]


@pytest.mark.parametrize("binary", [True, False])
def test_images_of_a_place_are_more_alike(places: list[np.ndarray], binary: bool) -> None:
    codebook = np.random.default_rng(1).normal(size=(40, 64))
    found = similarities(places, codebook, binary=binary)
    same = np.arange(9)[:, None] // 3 == np.arange(9) // 3
    assert found[same].min() > 2 * found[~same].max()


def test_words_hold_all_features_of_theirs() -> None:
    codebook = np.array([[0.0, 0.0], [10.0, 0.0]])
    found = words_of(np.array([[1.0, 0.0], [0.0, 2.0], [11.0, 1.0]]), codebook)
    assert found.words.tolist() == [0, 1]
    assert found.sums.tolist() == [[1.0, 2.0], [1.0, 1.0]]


def test_pairs_reach_every_image_once_for_each_key(places: list[np.ndarray]) -> None:
    codebook = np.random.default_rng(1).normal(size=(40, 64))
    alike = similarities(places, codebook)
    keys = key_images(alike, 3, first=4)
    assert sorted(key // 3 for key in keys) == [0, 1, 2]
    pairs = alike_pairs(alike, keys, 3)
    assert {n for pair in pairs for n in pair} == set(range(9))
    apart = [pair for pair in pairs if pair[0] // 3 != pair[1] // 3]
    assert len(apart) == 3, "only the keys join places"


def test_codebooks_are_read_and_nothing_is_run(tmp_path: Path) -> None:
    words = np.random.default_rng(2).normal(size=(8, 4)).astype(np.float32)
    content: dict[str, Any] = {"type": "Codebook", "params": {"size": 8}}
    good, evil, other = (tmp_path / name for name in ("good.pkl", "evil.pkl", "other.pkl"))
    good.write_bytes(pickle.dumps(content | {"state": {"centroids": words}}))
    np.testing.assert_array_equal(read_codebook(good), words)

    class Evil:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    evil.write_bytes(pickle.dumps(content | {"state": Evil()}))
    with pytest.raises(WeightsError, match="it would call"):
        read_codebook(evil)
    assert not (tmp_path / "ran").exists()
    other.write_bytes(pickle.dumps({"params": {"size": 9}, "state": {"centroids": words}}))
    with pytest.raises(WeightsError, match="9 words"):
        read_codebook(other)
