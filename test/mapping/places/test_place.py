# SPDX-License-Identifier: Apache-2.0
"""Places that are not recognised close no loop; the descriptor must serve real images too."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dens3r_ros.evaluation.places import PlaceOptions, evaluate_places
from dens3r_ros.mapping.places.place import DESCRIPTOR_BYTES, Places, hamming
from dens3r_ros.mapping.places.place_descriptor import FILE_NAME, LONG_SIDE
from dens3r_ros.resources import resource_dir
from dens3r_ros.sources.opening import open_source

HOLOLENS = Path(__file__).parents[4] / "shared" / "data" / "hololens"


def photo(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def shifted(image: np.ndarray) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((160, 120), 8, 1.15)
    moved = cv2.warpAffine(image, turn, (320, 240), borderMode=cv2.BORDER_REFLECT)
    return cv2.convertScaleAbs(moved, alpha=0.8, beta=10)


@pytest.fixture
def places() -> Places:
    known = Places()
    for seed in range(30):
        known.add(seed, photo(seed))
    return known


def test_a_moved_and_darkened_view_is_recognised(places) -> None:
    for seed in (0, 13, 29):
        (best, likeness), *others = places.query(shifted(photo(seed)), 5)
        assert best == seed
        assert 1 >= likeness > others[0][1] >= 0


def test_forgotten_places_are_not_found_and_the_others_still_are(places) -> None:
    for seed in range(0, 30, 2):
        places.remove(seed)
    assert len(places) == 15
    assert places.query(photo(7), 1)[0][0] == 7
    assert all(found % 2 for found, _ in places.query(photo(6), 30))


def test_what_was_remembered_before_is_remembered_again(places) -> None:
    again = Places()
    for seed in range(30):
        again.put(seed, places.descriptor(seed))
    asked = shifted(photo(4))
    assert again.query(asked, 10) == places.query(asked, 10)


@pytest.mark.parametrize("shape", [(240, 320, 3), (20, 24, 3), (1080, 1920, 3), (240, 33, 3)])
def test_images_without_anything_to_see_are_no_fault(places, shape) -> None:
    nothing = np.zeros(shape, np.uint8)
    assert len(places.query(nothing, 3)) == 3
    places.add(99, nothing)
    assert len(places) == 31


def test_size_does_not_matter(places) -> None:
    large = cv2.resize(photo(5), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    assert max(large.shape) > LONG_SIDE
    assert places.query(large, 1)[0][0] == 5


def test_descriptors_and_vocabulary_are_small(places) -> None:
    found = places.descriptor(3)
    arrays = (found.view, found.words, found.corners)
    assert sum(array.nbytes for array in arrays) < DESCRIPTOR_BYTES
    assert (resource_dir("models") / FILE_NAME).stat().st_size < 300_000


def test_bits_are_counted_right() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 256, (2, 50, 32), dtype=np.uint8)
    expected = np.unpackbits(a ^ b, axis=1).sum(1)
    assert np.array_equal(hamming(a.view(np.uint64), b.view(np.uint64)), expected)


@pytest.mark.skipif(not HOLOLENS.exists(), reason=f"{HOLOLENS} is not there")
def test_revisits_of_a_real_office_are_found() -> None:
    figures = evaluate_places(open_source(HOLOLENS), PlaceOptions(every=2))
    assert figures.revisits >= 10
    assert figures.recall >= 0.9


def test_what_is_remembered_of_a_place_stays_its_own_when_others_come_and_go(places) -> None:
    wanted = {seed: places.descriptor(seed).view for seed in range(30)}
    for seed in range(0, 20, 2):
        places.remove(seed)
    for seed in range(30, 60):
        places.add(seed, photo(seed))
    for seed in (1, 19, 28, 29):
        assert np.array_equal(places.descriptor(seed).view, wanted[seed])
    assert 29 not in [found for found, _ in places.alike(29, 50)]
