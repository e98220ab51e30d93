# SPDX-License-Identifier: Apache-2.0
"""Engines of many views see a frame among its keyframes; else three views cost three decodings and
tell what one would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.noise import OracleNoise
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.evaluation.oracle.window_oracle import WindowOracle
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig, WindowConfig
from dens3r_ros.mapping.keyframes.company import most_beside
from dens3r_ros.mapping.mapper import Mapper

SILENT = OracleNoise(
    scale=0, warp=0, pixel=0, rotation_deg=0, translation=0, bleed_pixels=0, hole_share=0,
    outlier_share=0, confidence_jitter=0, normal_deg=0,
)  # fmt: skip
CONFIG = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(max_rotation_deg=8)
)


class Counted(WindowOracle):
    """Remembers how many views each decoding had, and which frames were encoded."""

    def __init__(self, source, **options) -> None:
        super().__init__(source, **options)
        self.windows: list[int] = []
        self.encoded: list[int] = []

    def encode(self, frames):
        self.encoded += [frame.stamp for frame in frames]
        return super().encode(frames)

    def decode(self, pairs, outputs):
        self.windows += [2] * len(pairs)
        return super().decode(pairs, outputs)

    def decode_window(self, features, outputs):
        self.windows.append(len(features))
        return super().decode_window(features, outputs)


def mapped(engine, walk, config: MapperConfig = CONFIG, frames: int = 24) -> Mapper:
    with Mapper(engine, config) as mapper:
        for index in range(frames):
            mapper.step(walk[index])
        mapper.finish()
    return mapper


def test_frames_are_decoded_among_keyframes_and_nothing_is_encoded_twice(walk) -> None:
    engine = Counted(walk, long_side=160)
    mapper = mapped(engine, walk)
    assert max(engine.windows) == 4, "a frame, its keyframe and two more"
    assert len(mapper.trajectory()) == 24
    assert len(engine.encoded) == len(set(engine.encoded)) == 24


def test_no_more_is_decoded_than_with_pairs(walk) -> None:
    windows, pairs = Counted(walk, long_side=160), Counted(walk, long_side=160)
    mapped(windows, walk)
    mapped(pairs, walk, replace(CONFIG, window=WindowConfig(views=0)))
    assert set(pairs.windows) == {2}
    assert len(windows.windows) <= 1.1 * len(pairs.windows)


def test_keyframes_beside_learn_from_frames_and_are_tied_to_new_ones(walk) -> None:
    few = replace(CONFIG, graph=replace(CONFIG.graph, neighbours=0))
    edges, folds = [], []
    for views in (0, 2):
        engine = WindowOracle(walk, long_side=160)
        mapper = mapped(engine, walk, replace(few, window=WindowConfig(views=views)))
        world = mapper._session.world
        edges.append(world.graph.edge_count)
        folds.append(sum(keyframe.canonical.folds for keyframe in world.window))
    assert edges[1] > edges[0]
    assert folds[1] > 1.2 * folds[0]


def test_an_engine_of_pairs_has_no_company(walk) -> None:
    assert most_beside(OracleEngine(walk, long_side=160), CONFIG) == 0
    assert most_beside(WindowOracle(walk, long_side=160, views=3), CONFIG) == 1
    assert most_beside(WindowOracle(walk, long_side=160), CONFIG) == 2


def test_maps_and_places_are_right_in_company(walk) -> None:
    """Without noise everything that is seen together must lie where it is."""
    engine = WindowOracle(walk, SILENT, long_side=160, metric=True)
    mapper = mapped(engine, walk)
    first = np.linalg.inv(walk.truth(0).T_world_camera)
    start = np.linalg.inv(mapper.trajectory()[0].T_map_camera)
    for index, pose in enumerate(mapper.trajectory()):
        true = first @ walk.truth(index).T_world_camera
        assert start @ pose.T_map_camera == pytest.approx(true, abs=0.02)


def test_a_place_is_recognised_with_the_context_of_its_neighbours(walk) -> None:
    """The way there is a pair, so that being lost costs little; the way back sees more."""
    engine = Counted(walk, long_side=160)
    session = mapped(engine, walk)._session
    features = engine.encode([walk[12]])[0]
    view = next(iter(session.streams.values())).view(features)
    engine.windows.clear()
    recent = [keyframe.id for keyframe in session.world.window]
    assert session.world.loops.relocalise(features, view, recent) is not None
    assert engine.windows[0] == 2 and engine.windows[-1] == 4
