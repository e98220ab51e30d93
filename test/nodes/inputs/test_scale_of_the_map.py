# SPDX-License-Identifier: Apache-2.0
"""If these fail, the worse of two sources of metres is believed, or none though one is sure."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
import os
from dataclasses import replace

import numpy as np
import rclpy
from rclpy.context import Context
from updates import tracked

from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.metric_scale import WAIT_S, MetricScale
from dens3r_ros.nodes.settings.config import InputParameters, NodeConfig
from dens3r_ros.nodes.settings.inertial import ImuParameters


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context, domain_id=int(os.environ.get("ROS_DOMAIN_ID", "0")))
    made = rclpy.create_node("scales", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def scale(node, source: str) -> MetricScale:
    placed = ImuParameters(camera_from_imu=(0.0, 0, 0, 0, 0, 0, 1), time_offset="0.0")
    config = NodeConfig(input=InputParameters(scale_from=source, camera_height=1.2), imu=placed)
    return MetricScale(node, config, Extrinsics(node, config))


def update(seconds: float, epoch: int = 0) -> Update:
    return tracked(np.eye(4), stamp=round(seconds * 1e9), epoch=epoch)


def knows_height(one: MetricScale) -> None:
    one._by_height.add(update(0), 1.2)
    one._by_height.scale, one._by_height.sigma = 0.5, 0.02


def knows_imu(one: MetricScale) -> None:
    up = np.array([0.0, 0.1, 1.0]) / np.sqrt(1.01)
    one.gyroscope.learn(update(0))
    none = np.zeros(3)
    one.gyroscope.alignment = InertialAlignment(
        0.7, 0.005, 0.02, up, 0.01, none, none, 1.0, none, np.full(1, 0.7), np.eye(4)[None]
    )
    one.gyroscope.up_map = up
    one.gyroscope.revision = 1


def test_the_best_source_that_is_sure_is_held_and_told(node) -> None:
    one = scale(node, "auto")
    knows_height(one)
    knows_imu(one)
    one.gyroscope.buffer.add(10**8, (0, 0, 0), (0, 0, 9.8))
    one.learn(update(0.1), "camera")
    assert (one.held.source, one.factor) == ("imu", 0.7)
    found = one.applied(update(0.2))
    assert found.metric and found.epoch == 1 and found.levelled_by == "gravity"
    assert found.scale_sigma == pytest.approx(one.held.sigma)
    assert one.began_epoch(1)
    one.destroy()


def test_a_scale_that_is_learned_better_is_taken_over_and_begins_an_epoch(node) -> None:
    one = scale(node, "imu")
    knows_imu(one)
    one.gyroscope.buffer.add(10**8, (0, 0, 0), (0, 0, 9.8))
    one.learn(update(0.1), "camera")
    one.learn(update(0.2), "camera")
    assert (one.factor, one.epochs) == (0.7, 1)
    one.gyroscope.alignment = replace(one.gyroscope.alignment, scale=0.72, sigma=0.002)
    one.gyroscope.revision = 2
    one.learn(update(0.3), "camera")
    assert (one.factor, one.epochs) == (0.72, 2)
    assert one.began_epoch(2)
    one.destroy()


def test_a_better_source_is_waited_for_but_not_for_ever(node) -> None:
    one = scale(node, "auto")
    knows_height(one)
    for tenth in range(int(10 * (WAIT_S + 2))):
        one.gyroscope.buffer.add(tenth * 10**8 + 10**8, (0, 0, 0), (0, 0, 9.8))
        one.learn(update(0.1 * (tenth + 1)), "camera")
        if tenth < 10 * WAIT_S - 2:
            assert one.held is None
    assert one.held.source == "height"
    one.destroy()


def test_a_source_that_is_not_there_is_not_waited_for(node) -> None:
    one = scale(node, "auto")
    knows_height(one)
    one.learn(update(0.1), "camera")
    assert one.held.source == "height"
    assert "from height" in one.progress()
    one.learn(update(0.2, epoch=1), "camera")
    assert one.held is None
    one.destroy()


def test_without_a_source_nothing_changes(node) -> None:
    one = scale(node, "none")
    one.learn(update(0.1), "camera")
    assert not one.active and one.gyroscope is None
    assert one.applied(update(0.2)).epoch == 0
    one.destroy()
