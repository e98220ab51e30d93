# SPDX-License-Identifier: Apache-2.0
"""If these fail, the status miscounts images or hides errors, or outputs come unasked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
import rclpy
from nav_msgs.msg import Path as PathMessage
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, PointCloud2

from dens3r_ros.evaluation.oracle.wall_engine import WallEngine
from dens3r_ros.mapping.graph.solver_process import SolverFailed
from dens3r_ros.nodes.session import NodeSession
from dens3r_ros.nodes.settings.config import InputParameters, NodeConfig
from dens3r_ros.nodes.status_message import status_message

CONFIG = NodeConfig(input=InputParameters(policy="every", use_camera_info=False))
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Rig:
    """A session, images for it, and a listener, in one process."""

    def __init__(self, context: Context) -> None:
        self.node = rclpy.create_node("dens3r", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.engine = WallEngine()
        self.session = NodeSession(self.node, CONFIG, self.engine)
        self.session.activate()
        self.stamp = 10**9

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            message = Image(height=48, width=64, encoding="mono8", step=64)
            message.data.frombytes(bytes(range(48)) * 64)
            message.header.frame_id = "camera_optical"
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(self.stamp, 10**9)
            self.stamp += 100_000_000
            self.session.intake._on_image("", message)

    def status(self) -> Any:
        return status_message(self.node, self.session)

    def until(self, done: Callable[[], Any], seconds: float = 30.0) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
        return bool(done())

    def idle(self) -> Any:
        assert self.until(lambda: self.status().images_waiting == 0)
        return self.status()

    def heard(self, kind: Any, topic: str, qos: Any = LATCHED) -> list[Any]:
        seen: list[Any] = []
        self.node.create_subscription(kind, topic, seen.append, qos)
        assert self.until(lambda: self.node.count_subscribers(self.node.resolve_topic_name(topic)))
        return seen


@pytest.fixture
def rig() -> Iterator[Rig]:
    context = Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    made = Rig(context)
    yield made
    made.session.close(5.0)
    made.executor.shutdown()
    made.node.destroy_node()
    rclpy.shutdown(context=context)


STAGES = {
    "stamp": (lambda s: s.intake, "_stamp", 1),
    "reading": (lambda s: s._reader, "frame", 1),
    "placing": (lambda s: s._extrinsics, "place", 1),
    "mapping": (lambda s: s._mapper, "step", 1),
    "scale": (lambda s: s.scale, "applied", 1),
    "maps": (lambda s: s.dense._cameras[""], "publish", 1),
    "poses": (lambda s: s._poses, "publish", 1),
    "rate": (lambda s: s.rate, "tick", 1),
    "after the frame": (lambda s: s._mapper, "catch_up", 0),
}


def test_the_status_counts_images_whose_maps_were_not_published(rig: Rig) -> None:
    assert rig.status().dense_maps_skipped == 0
    rig.session.dense.skipped += 2
    assert rig.status().dense_maps_skipped == 2


@pytest.mark.parametrize("stage", STAGES)
def test_every_image_is_counted_once_whatever_fails(rig: Rig, stage: str) -> None:
    owner, name, faults = STAGES[stage]
    rig.send(2)
    rig.idle()
    part = owner(rig.session)
    working, calls = getattr(part, name), []

    def stumbling(*arguments: Any) -> Any:
        calls.append(None)
        if len(calls) == 2:
            raise ZeroDivisionError("stumbled")
        return working(*arguments)

    setattr(part, name, stumbling)
    rig.send(3)
    status = rig.idle()
    setattr(part, name, working)
    dropped = dict(zip(status.dropped_reasons, status.dropped_counts, strict=True))
    assert status.images_received == 5
    assert dropped.get("fault", 0) == faults
    assert status.images_processed == 5 - faults
    rig.send(1)
    assert rig.idle().tracking == status.TRACKING_OK
    assert not rig.session.faults.text


def test_a_fault_of_an_image_is_a_loss_and_one_for_good_is_a_failure(rig: Rig) -> None:
    rig.send(2)
    rig.idle()
    working = rig.session._mapper.step

    def raising(error: Exception) -> Callable[[Any], Any]:
        def step(_: Any) -> Any:
            raise error

        return step

    rig.session._mapper.step = raising(ZeroDivisionError("stumbled"))
    rig.send(1)
    status = rig.idle()
    assert status.tracking == status.TRACKING_LOST and "stumbled" in status.reason
    rig.session._mapper.step = raising(SolverFailed("the solver keeps dying"))
    rig.send(1)
    rig.idle()
    rig.session._mapper.step = working
    rig.send(2)
    status = rig.idle()
    assert status.tracking == status.TRACKING_FAILED and "keeps dying" in status.reason
    assert dict(zip(status.dropped_reasons, status.dropped_counts, strict=True))["failed"] == 2
    assert not rig.session.faults.beyond_recovery
    rig.session.reset().result(10)
    rig.send(3)
    assert rig.idle().tracking == status.TRACKING_OK


def test_an_error_of_map_publishing_or_of_a_restart_is_told_until_it_works_again(rig: Rig) -> None:
    rig.heard(PointCloud2, "~/map_points")
    rig.send(3)
    rig.idle()
    for stage, part, name, trigger in (
        ("map publishing", rig.session._map, "publish", rig.session.publish_map),
        ("restart", rig.session._mapper, "reset", rig.session.time_went_back),
    ):
        working = getattr(part, name)
        setattr(part, name, lambda *_: 1 / 0)
        assert rig.until(lambda t=trigger: t() or rig.session.faults.text)
        assert stage in rig.session.faults.text and "ZeroDivisionError" in rig.session.faults.text
        setattr(part, name, working)
        assert rig.until(lambda t=trigger: t() or not rig.session.faults.text)


def test_a_map_that_has_not_changed_is_sent_to_newcomers_alone(rig: Rig) -> None:
    clouds = rig.heard(PointCloud2, "~/map_points")
    paths = rig.heard(PathMessage, "~/path")
    rig.send(3)
    rig.idle()
    assert rig.until(lambda: rig.session.publish_map() or (clouds and paths))

    def publish_often() -> None:
        for _ in range(10):
            rig.session.publish_map()
            rig.until(lambda: False, 0.05)

    publish_often()
    told = len(clouds), len(paths)
    publish_often()
    assert (len(clouds), len(paths)) == told
    volatile: list[Any] = []
    rig.node.create_subscription(PointCloud2, "~/map_points", volatile.append, 1)
    assert rig.until(lambda: rig.session.publish_map() or volatile)
    rig.send(1)
    rig.idle()
    before = len(paths)
    assert rig.until(lambda: rig.session.publish_map() or len(paths) > before)
    cells = clouds[-1].width
    output = replace(CONFIG.output, map_voxel=1.0)
    rig.session.change(replace(CONFIG, output=output))
    assert rig.until(lambda: rig.session.publish_map() or clouds[-1].width < cells)


def test_nothing_comes_out_once_it_is_deactivated(rig: Rig) -> None:
    depth = rig.heard(Image, "~/depth/image", 10)
    rig.send(2)
    rig.idle()
    assert rig.until(lambda: len(depth) == 2)
    begun, go_on = threading.Event(), threading.Event()
    encode = rig.engine.encode

    def slow(frames: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return encode(frames)

    rig.engine.encode = slow
    rig.send(1)
    assert begun.wait(20)
    rig.session.deactivate()
    go_on.set()
    rig.idle()
    rig.until(lambda: False, 0.5)
    assert len(depth) == 2
    rig.session.activate()
    rig.send(1)
    assert rig.until(lambda: len(depth) == 3)


def test_reset_is_answered_though_it_fails(rig: Rig) -> None:
    rig.session._mapper.reset = lambda why: 1 / 0
    with pytest.raises(ZeroDivisionError):
        rig.session.reset().result(10)
