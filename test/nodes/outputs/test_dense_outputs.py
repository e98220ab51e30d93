# SPDX-License-Identifier: Apache-2.0
"""If these fail, poses wait for dense maps, or maps that nobody listens to are made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from updates import tracked

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.tracking.observation import ViewMaps
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.faults import Faults
from dens3r_ros.nodes.inputs.statistics import Durations
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.qos import MAPS_OUT
from dens3r_ros.nodes.outputs.dense_outputs import DenseOutputs
from dens3r_ros.nodes.outputs.outlet import Outlet
from dens3r_ros.nodes.settings.config import NodeConfig

SIZE = 12, 16
CONFIG = NodeConfig()


class Rig:
    """Outputs, and a listener to depth in the same process."""

    def __init__(self, context: Context) -> None:
        self.node = rclpy.create_node("dense", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.outlet, self.faults, self.heard = Outlet(), Faults(), []
        self.outlet.open()
        self.dense = DenseOutputs(
            self.node, CONFIG, self.outlet, Durations(), self.faults, self.faults.add
        )

    def listen(self) -> None:
        def hear(message: Image) -> None:
            self.heard.append(message.header.stamp.sec)

        self.node.create_subscription(Image, "/dense/depth/image", hear, MAPS_OUT)
        (outputs,) = self.dense._cameras.values()
        assert self.until(lambda: "depth/image" in outputs.wanted())

    def publish(self, second: int, seen: Callable[[], ViewMaps], apart: bool = True) -> None:
        whole = Placement(SIZE, SIZE, 0, 0, SIZE)
        update = _update(second, Maps(seen, 1.0, whole, apart=apart))
        frame = Frame(np.zeros((*SIZE, 3), np.uint8), second * 10**9, "")
        header = header_at(frame.stamp, "optical")
        self.dense.publish(frame, update, header, CONFIG.output, True)

    def until(self, done: Callable[[], object], seconds: float = 20.0) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.executor.spin_once(0.05)
        return bool(done())


@pytest.fixture
def rig() -> Iterator[Rig]:
    context = Context()
    rclpy.init(context=context)
    made = Rig(context)
    yield made
    made.dense.stop(10.0)
    made.node.destroy_node()
    context.shutdown()


def flat() -> ViewMaps:
    points = np.ones((*SIZE, 3), np.float32)
    return ViewMaps(points, np.full(SIZE, 9.0, np.float32), np.zeros((*SIZE, 3), np.float32))


def test_tracking_does_not_wait_and_the_newest_maps_go_out(rig: Rig) -> None:
    rig.listen()
    begun, release = threading.Event(), threading.Event()

    def slow() -> ViewMaps:
        begun.set()
        assert release.wait(20)
        return flat()

    rig.publish(1, slow)
    assert begun.wait(10)
    for second in (2, 3, 4):
        rig.publish(second, flat)
    release.set()
    assert rig.until(lambda: 4 in rig.heard)
    assert rig.heard == [1, 4]
    assert rig.dense.skipped == 2


def test_maps_that_mapping_still_works_on_are_published_at_once(rig: Rig) -> None:
    rig.listen()
    threads = []

    def seen() -> ViewMaps:
        threads.append(threading.current_thread())
        return flat()

    rig.publish(1, seen, apart=False)
    assert threads == [threading.current_thread()]
    assert rig.until(lambda: rig.heard == [1])


def test_nothing_is_made_for_nobody(rig: Rig) -> None:
    def never() -> ViewMaps:
        raise AssertionError("these maps were made though nobody listens")

    rig.publish(1, never, apart=False)


def test_an_error_stands_until_maps_are_published_again(rig: Rig) -> None:
    rig.listen()
    rig.publish(1, lambda: 1 / 0)
    assert rig.until(lambda: "ZeroDivisionError" in rig.faults.text)
    rig.publish(2, flat)
    assert rig.until(lambda: not rig.faults.text)


def _update(second: int, maps: Maps) -> Update:
    return tracked(np.eye(4), stamp=second * 10**9, maps=maps, intrinsics_estimated=True)
