# SPDX-License-Identifier: Apache-2.0
"""If these fail, a photo's place is told in another unit or frame than the map, or a robot sees
nothing while it is looked for."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.mapping.config import DecodingConfig, GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.metric.level import level_of
from dens3r_ros.nodes.answers.photos import PhotoPlacing, PhotoRefused, _published
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.inputs.metric_scale import Held
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.worker import Job, Worker

EVERY_FRAME = MapperConfig(
    graph=GraphConfig(child_process=False),
    keyframes=KeyframeConfig(min_matched=0.8),
    decoding=DecodingConfig(every=1),
)


def test_a_place_is_in_the_unit_and_frame_of_what_is_published() -> None:
    """A map of half metres that lies on its side: y is up."""
    up = np.array([0.0, 1.0, 0.0])
    T = np.eye(4)
    T[:3, 3] = (2.0, 4.0, 0.0)
    spread = np.diag([1.0, 4.0, 9.0, 0.1, 0.2, 0.3])
    placed, covariance = _published(T, spread, Held("imu", 0.5, 0.1, level_of(up, up)))
    assert placed[:3, 3] == pytest.approx([1.0, 0.0, 2.0])
    # The scale's tenth of one metre and of two, beside a quarter of each variance.
    assert np.diag(covariance) == pytest.approx([0.25 + 0.01, 2.25, 1.0 + 0.04, 0.1, 0.3, 0.2])
    assert covariance[0, 2] == pytest.approx(0.01 * 2.0)


class Beside:
    """A mapper on a worker, and a log of what the worker did."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.mapper = Mapper(load_engine("geometric"), EVERY_FRAME)
        self.box: Mailbox[Job] = Mailbox(50, False)
        self.worker = Worker(self.box, self._fail)
        scale: Any = SimpleNamespace(held=None, epochs=0)
        state = (None, NodeConfig())
        self.photos = PhotoPlacing(self.worker, self.mapper, scale, lambda: state, self._fail)
        between = self.mapper.between

        def logged(function: Any) -> Any:
            self.log.append("step")
            return between(function)

        self.mapper.between = logged  # type: ignore[method-assign]

    def _fail(self, error: BaseException) -> None:
        self.log.append(f"fault: {error}")

    def frame(self, frame: Any) -> None:
        def take() -> None:
            self.log.append("frame")
            self.mapper.step(frame)

        self.box.put("front", take)

    def close(self) -> None:
        self.worker.stop(10)
        self.photos.close(10)
        self.mapper.close()


def request(frame: Any) -> Any:
    height, width = frame.size
    image = Image(height=height, width=width, step=3 * width, encoding="rgb8")
    image.data.frombytes(frame.image.tobytes())
    return SimpleNamespace(image=image, compressed=CompressedImage(), camera_info=CameraInfo())


@pytest.fixture
def beside(walk: Any) -> Any:
    running = Beside()
    for n in range(0, 14):
        running.frame(walk[n])
    running.worker.call_between(lambda: None).result(60)
    yield running
    running.close()


def held_up(beside: Beside) -> threading.Event:
    """An event that lets the worker go on."""
    go_on = threading.Event()
    beside.worker.call(partial(go_on.wait, 30))
    return go_on


def test_frames_are_mapped_between_the_steps_of_a_search(beside: Beside, walk: Any) -> None:
    while len(beside.box):
        beside.worker.call_between(lambda: None).result(60)
    beside.log.clear()
    go_on = held_up(beside)
    for n in range(14, 22):
        beside.frame(walk[n])
    place = beside.photos.place(request(walk[9]))
    go_on.set()
    assert place.result(60).found.keyframes
    last = max(n for n, what in enumerate(beside.log) if what == "frame")
    assert beside.log.count("frame") == 8 and beside.log.count("step") >= 4
    assert not any(
        beside.log[n : n + 2] == ["step", "step"] for n in range(min(last, len(beside.log)))
    ), beside.log


def test_a_search_ends_with_its_map(beside: Beside, walk: Any) -> None:
    """Keyframes of a map that is gone place nothing."""
    go_on = held_up(beside)
    steps = beside.mapper.placing(walk[9])
    go_on.set()
    beside.worker.call(lambda: next(steps)).result(60)
    beside.worker.call(beside.mapper.reset).result(60)
    with pytest.raises(StopIteration) as ended:
        beside.worker.call(lambda: [next(steps) for _ in range(9)]).result(60)
    assert ended.value.value == "another map has begun meanwhile: ask again"
    beside.worker.call(partial(beside.mapper.step, walk[0])).result(60)
    with pytest.raises(PhotoRefused, match="empty"):
        beside.photos.place(request(walk[9])).result(60)
