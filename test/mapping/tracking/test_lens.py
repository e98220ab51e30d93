# SPDX-License-Identifier: Apache-2.0
"""If these fail, an engine that sees two views at a time guesses the lens anew for every pair, and
maps of uncalibrated cameras change their scale as they grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.engines.protocol import Features, Placement
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.tracking.lens import LensEstimate


def seen(focal: float) -> Intrinsics:
    return Intrinsics(focal, focal, 79.5, 59.5, 160, 120)


@pytest.fixture
def features() -> Features:
    frame = Frame(np.zeros((240, 320, 3), np.uint8), 0, "front", None)
    return Features(frame, Placement((240, 320), (120, 160), 0, 0, (120, 160)), None, None)


def test_a_lens_is_believed_once_several_pairs_agree(features) -> None:
    lens = LensEstimate()
    learned = [lens.learn(seen(f), features, apart=False) for f in (100, 101, 99, 100, 102)]
    assert learned[:4] == [None] * 4
    assert learned[4] == seen(100)
    assert lens.known is not None
    assert (lens.known.width, lens.known.fx) == (320, pytest.approx(200))


def test_pairs_that_contradict_each_other_teach_nothing(features) -> None:
    lens = LensEstimate()
    assert not any(lens.learn(seen(f), features, apart=False) for f in (60, 80, 100, 130, 170, 220))
    assert lens.known is None


def test_views_far_apart_correct_a_first_impression(features) -> None:
    lens = LensEstimate()
    for focal in (107, 108, 106, 107, 107):
        lens.learn(seen(focal), features, apart=False)
    learned = [lens.learn(seen(f), features, apart=True) for f in (100, 101, 100)]
    assert learned == [None, None, seen(100)]
    assert lens.learn(seen(101), features, apart=True) is None, "a percent is not worth telling"


def test_only_frames_without_a_lens_and_of_its_size_are_told(features) -> None:
    lens = LensEstimate()
    lens.known = replace(seen(200), width=320, height=240)
    assert lens.apply(features.frame).intrinsics == lens.known
    given = replace(features.frame, intrinsics=replace(lens.known, fx=150.0))
    assert lens.apply(given) is given
    other = replace(features.frame, image=np.zeros((100, 100, 3), np.uint8))
    assert lens.apply(other) is other


class Guided(OracleEngine):
    """An oracle that asks for lenses, and remembers what it was told."""

    def __init__(self, source) -> None:
        super().__init__(source, long_side=160)
        self.info = replace(self.info, guided=True)
        self.told: list[Intrinsics | None] = []

    def encode(self, frames):
        self.told += [frame.intrinsics for frame in frames]
        return super().encode(frames)


def test_a_guided_engine_is_told_the_lens_that_its_own_pairs_showed(walk) -> None:
    engine = Guided(walk)
    with Mapper(engine, MapperConfig(graph=GraphConfig(child_process=False))) as mapper:
        updates = [mapper.step(replace(walk[i], intrinsics=None)) for i in range(len(walk))]
        mapper.finish()
        keyframes = mapper.keyframes()
    assert engine.told[0] is None
    assert engine.told[-1] is not None
    assert engine.told[-1].fx == pytest.approx(walk[0].intrinsics.fx, rel=0.03)
    assert all(update.intrinsics_estimated for update in updates)
    assert {keyframe.intrinsics.fx for keyframe in keyframes} == {keyframes[-1].intrinsics.fx}
