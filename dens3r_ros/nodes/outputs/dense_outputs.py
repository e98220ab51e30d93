# SPDX-License-Identifier: Apache-2.0
"""The dense maps of every camera's images: those of images that were not decoded on a thread of
their own, so that tracking never waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from rclpy.node import Node
from std_msgs.msg import Header

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.faults import Faults
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.inputs.statistics import Durations
from dens3r_ros.nodes.outputs.camera_outputs import CameraOutputs
from dens3r_ros.nodes.outputs.outlet import Outlet
from dens3r_ros.nodes.settings.config import NodeConfig, OutputParameters
from dens3r_ros.nodes.worker import Job, Worker

_STAGE = "dense maps"
_REST = 3.0
"""Rest after an image's maps, in times that they took."""


class DenseOutputs:
    """Publishes maps through an outlet.

    With policy `latest` the thread publishes one image's maps after the other; while it is busy the
    newest one of each camera waits. It rests after each, so that tracking and decoding have the
    processor too.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        outlet: Outlet,
        durations: Durations,
        faults: Faults,
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        cameras, motion = config.input.cameras, config.motion
        self._cameras = {name: CameraOutputs(node, name, motion) for name in cameras}
        self._outlet, self._durations, self._faults = outlet, durations, faults
        self._latest = config.input.policy == "latest"
        self._mailbox: Mailbox[Job] = Mailbox(1, True)
        self._closing = threading.Event()
        self._worker = Worker(self._mailbox, partial(on_fault, _STAGE), "dens3r-maps")
        self.skipped = 0
        """Images whose maps were not published, because newer ones were there."""

    def publish(
        self, frame: Frame, update: Update, header: Header, output: OutputParameters, lengths: bool
    ) -> None:
        """Publish an image's maps, at once or soon; with `lengths` or without."""
        outputs = self._cameras[frame.camera]
        job = partial(self._publish, outputs, frame, update, header, output, lengths)
        if update.maps is None or not (update.maps.apart and self._latest):
            job()
        elif outputs.wanted():
            dropped = self._mailbox.put(frame.camera, partial(self._soon, job))
            self.skipped += dropped is not None

    def clear(self) -> None:
        """Forget what waits."""
        self._mailbox.clear()

    def stop(self, timeout_s: float) -> bool:
        """End after the present maps, and withdraw the topics; whether it ended in time."""
        self._closing.set()
        ended = self._worker.stop(timeout_s)
        for outputs in self._cameras.values():
            outputs.destroy()
        return ended

    def _soon(self, job: Job) -> None:
        began = time.monotonic()
        if self._outlet.send(job):
            self._faults.clear(_STAGE)
        self._closing.wait(_REST * (time.monotonic() - began))

    def _publish(
        self,
        outputs: CameraOutputs,
        frame: Frame,
        update: Update,
        header: Header,
        output: OutputParameters,
        lengths: bool,
    ) -> None:
        with self._durations.stage("publish_maps"):
            outputs.publish(frame, update, header, output, lengths)
