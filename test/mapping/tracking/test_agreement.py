# SPDX-License-Identifier: Apache-2.0
"""Images and geometry that contradict each other: a robot with a wrong calibration, or with a depth
camera that is not registered, must not be led astray by either."""

import numpy as np
import pytest
import torch

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.geometry.sim3 import se3_exp
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.tracking.agreement import ConsistencyCheck, Difference, settle
from dens3r_ros.mapping.tracking.refinement import NO_DOUBT
from dens3r_ros.mapping.tracking.resection import Resection

SPREAD = np.diag([4e-4] * 3 + [1e-5] * 3)


def solved(tangent: np.ndarray) -> Resection:
    T = se3_exp(torch.from_numpy(np.asarray(tangent, float))).numpy()
    return Resection(T, SPREAD, np.ones(50, bool), 1e-3)


def differences(bias: np.ndarray, noise: float, count: int) -> list[Difference]:
    """The images are off by a bias that grows with the frame, the engine anew with every frame."""
    random = np.random.default_rng(0)
    root = np.sqrt(np.diag(2 * SPREAD))
    return [
        Difference(
            n % 10 * bias + noise * root * random.standard_normal(6), SPREAD, SPREAD, 0 * SPREAD
        )
        for n in range(count)
    ]


def checked(bias: float, noise: float, count: int = 60) -> ConsistencyCheck:
    consistency = ConsistencyCheck()
    for difference in differences(np.array([0, 0, 0, 0, bias, 0]), noise, count):
        consistency.add(0, difference)
    return consistency


def test_what_agrees_is_joined() -> None:
    T, covariance = settle(solved(np.zeros(6)), solved([0.02, 0, 0, 0, 0, 0]), NO_DOUBT, np.eye(4))
    assert T[0, 3] == pytest.approx(0.01, rel=1e-3)
    assert covariance == pytest.approx(SPREAD / 2)


def test_images_that_contradict_the_engine_are_refused() -> None:
    engine, image = solved(np.zeros(6)), solved([0, 0, 0, 0, 0.1, 0])
    T, covariance = settle(engine, image, 2 * np.eye(6), image.T_frame_keyframe)
    assert np.array_equal(T, engine.T_frame_keyframe)
    assert np.array_equal(covariance, SPREAD)


def test_a_pair_that_the_engine_got_wrong_is_overruled_by_images_in_good_standing() -> None:
    engine, image = solved([0, 0, 0, 0, 0.1, 0]), solved(np.zeros(6))
    expected = solved([0, 0, 0, 0, -0.02, 0]).T_frame_keyframe
    T, _ = settle(engine, image, NO_DOUBT, expected)
    assert np.array_equal(T, image.T_frame_keyframe)


def test_images_are_doubted_while_they_go_on_contradicting_and_believed_again_after() -> None:
    consistency = checked(bias=0.005, noise=1.0)
    assert consistency.doubt[4, 4] > 10
    for difference in differences(np.zeros(6), 1.0, 60):
        consistency.add(0, difference)
    assert not consistency.doubt.any()


def test_an_engine_less_exact_than_expected_does_not_discredit_the_images() -> None:
    assert not checked(bias=0.0, noise=1.0).doubt.any()
    assert not checked(bias=0.0, noise=4.0).doubt.any()


class OnceWrong(OracleEngine):
    """Takes one frame for turned by five degrees, without any doubt."""

    wrong = 8

    def decode(self, pairs, outputs):
        prediction = super().decode(pairs, outputs)
        turned = se3_exp(torch.tensor([0, 0, 0, 0, np.radians(5), 0], dtype=torch.float64))
        for n, (a, _) in enumerate(pairs):
            if a.frame.stamp == self._source[self.wrong].stamp:
                prediction.points_b[n] = prediction.points_b[n] @ turned[:3, :3].T.float()
        return prediction


def test_one_wrong_pair_makes_no_jump(box_room, camera_pose) -> None:
    poses = np.array([camera_pose(0.01 * n, 0, 0.005 * n - 1, 0.3 * n) for n in range(12)])
    room = box_room(poses, (144, 192))
    mapper = Mapper(
        OnceWrong(room, long_side=192), MapperConfig(graph=GraphConfig(child_process=False))
    )
    found = np.array([mapper.step(room[n]).T_map_camera for n in range(12)])
    turned = found[0][:3, :3].T @ found[OnceWrong.wrong][:3, :3]
    assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) == pytest.approx(2.4, abs=0.6)
