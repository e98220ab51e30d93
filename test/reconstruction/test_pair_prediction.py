# SPDX-License-Identifier: Apache-2.0
"""If these fail, images are encoded over and over, or a set of them never becomes a scene."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.evaluation.baselines import BaselineEngine
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.reconstruction.global_alignment import AlignmentConfig, align_globally
from dens3r_ros.reconstruction.pair_graph import make_pairs
from dens3r_ros.reconstruction.pair_prediction import predict_pairs
from dens3r_ros.sources.opening import open_source

HOLOLENS = Path(__file__).resolve().parents[3] / "shared" / "data" / "hololens"


class CountingEngine(BaselineEngine):
    """Remembers what was asked of it."""

    def __init__(self):
        super().__init__(plane=True)
        self.encoded, self.wanted = 0, []

    def encode(self, frames):
        self.encoded += len(frames)
        return super().encode(frames)

    def decode(self, pairs, outputs):
        self.wanted.append(outputs)
        return super().decode(pairs, outputs)


@pytest.fixture
def frames():
    blank = np.zeros((24, 32, 3), np.uint8)
    camera = Intrinsics(30.0, 30.0, 16.0, 12.0, 32, 24)
    return [Frame(blank, 0, intrinsics=camera), Frame(blank[:16], 1), Frame(blank, 2)]


def test_every_image_is_encoded_once_and_only_points_are_asked_for(frames):
    engine, heard = CountingEngine(), []
    pairs = make_pairs(3)
    found, cameras = predict_pairs(engine, frames, pairs, lambda *done: heard.append(done))
    assert engine.encoded == 3 and list(found) == pairs
    assert engine.wanted == [Outputs(points="ab", normals="", descriptors="")] * 6
    assert heard == [(k, 6) for k in range(1, 7)]
    assert cameras == [frames[0].intrinsics, None, None]
    assert found[(0, 1)].points_a.shape == (24, 32, 3)
    assert found[(0, 1)].confidence_b.shape == (16, 32)


def test_says_which_engine_gives_no_points(frames):
    class Pointless(BaselineEngine):
        def decode(self, pairs, outputs):
            return PairPrediction()

    with pytest.raises(ValueError, match="engine plane gives no points"):
        predict_pairs(Pointless(plane=True), frames, [(0, 1)])


def test_disturbed_predictions_of_real_images_become_one_scene():
    if not HOLOLENS.exists():
        pytest.skip(f"the sequence {HOLOLENS} is not on this machine")
    source = open_source(HOLOLENS)
    shown = [0, 20, 40, 60, 80]
    frames = [replace(source[index], intrinsics=None) for index in shown]
    engine = OracleEngine(source, long_side=128)
    predictions, cameras = predict_pairs(engine, frames, make_pairs(len(shown)))
    found = align_globally(predictions, cameras, AlignmentConfig(most_points=60_000))
    true = torch.from_numpy(np.stack([source.truth(index).T_world_camera for index in shown]))
    T = register_similarity(found.T_world_camera[:, :3, 3], true[:, :3, 3])
    misses = (act(T, found.T_world_camera[:, :3, 3]) - true[:, :3, 3]).norm(dim=-1)
    assert float(misses.square().mean().sqrt()) < 0.03
