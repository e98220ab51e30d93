# SPDX-License-Identifier: Apache-2.0
"""What exists between configure and cleanup: engine, mapper, outputs and their bookkeeping."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from rclpy.node import Node

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.nodes.faults import is_final
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.images import RejectedImage
from dens3r_ros.nodes.inputs.intake import Intake, Received
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.inputs.metric_scale import MetricScale
from dens3r_ros.nodes.inputs.reading import Reader
from dens3r_ros.nodes.inputs.statistics import Durations, FrameCounts, Rate
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.outputs.camera_outputs import CameraOutputs
from dens3r_ros.nodes.outputs.map_outputs import MapOutputs
from dens3r_ros.nodes.outputs.pose_outputs import PoseOutputs
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.settings.mapper_config import mapper_config
from dens3r_ros.nodes.worker import Job, Worker

MAP_SHARE = 0.05
"""Of the worker's time that the map's topics may take."""


class NodeSession:
    """Takes images to outputs on a worker thread."""

    def __init__(self, node: Node, config: NodeConfig, engine: Engine) -> None:
        self.node, self.config, self.engine = node, config, engine
        self.counts, self.durations = FrameCounts(), Durations()
        self.rate, self.decodings = Rate(), Rate()
        self.update: Update | None = None
        self.fault: str | None = None
        self.beyond_recovery = False
        self.missing_transform: str | None = None
        self.paused = False
        self.intake: Intake | None = None
        self._frames: dict[str, Frame] = {}
        self._reader = Reader(config.input.max_image_pixels, node.get_logger())
        self._extrinsics = Extrinsics(node, config)
        self._mapper = Mapper(engine, mapper_config(config, self._extrinsics.of_others))
        self._cameras = {name: CameraOutputs(node, name) for name in config.input.cameras}
        self.scale = MetricScale(node, config, self._extrinsics)
        self._poses = PoseOutputs(node, config.frames, self._extrinsics.lookup)
        self._map = MapOutputs(node, config)
        latest = config.input.policy == "latest"
        self._mailbox: Mailbox[Job] = Mailbox(1 if latest else config.input.queue_size, latest)
        self._worker = Worker(self._mailbox, self._on_fault)
        self._map_stamp = 0
        self._map_job: Future[None] = Future()
        self._map_job.set_result(None)
        self._map_rests_until = 0.0

    def activate(self) -> None:
        """Listen to the cameras."""
        self.intake = Intake(
            self.node, self.config.input, self.counts, self._deliver, self._restart
        )

    def deactivate(self) -> None:
        """Stop listening and forget what waits."""
        if self.intake is not None:
            self.intake.destroy()
            self.intake = None
        self.counts.drop("deactivated", self._mailbox.clear())

    def close(self, timeout_s: float) -> bool:
        """Stop the worker and withdraw the topics; whether the worker ended in time."""
        self.deactivate()
        ended = self._worker.stop(timeout_s)
        if ended:
            self._mapper.close()
        for outputs in (*self._cameras.values(), self._poses, self._map, self.scale):
            outputs.destroy()
        return ended

    def reset(self) -> Future[None]:
        """Forget the map; the next image begins a new epoch."""
        self.counts.drop("reset", self._mailbox.clear())
        if self.intake is not None:
            self.intake.forget_stamps()
        return self._worker.call(self._reset)

    def save(self, path: Path) -> Future[int]:
        """Write the map to a file; its keyframes."""
        return self._worker.call(partial(self._mapper.save, path))

    def load(self, path: Path) -> Future[int]:
        """Replace the map by a file's; its keyframes."""
        return self._worker.call(partial(self._mapper.load, path))

    def epoch(self) -> int:
        """The epoch that the next image belongs to."""
        return self._mapper.epoch + self.scale.epochs

    def publish_map(self) -> None:
        """Let the worker publish the map, if anybody listens and it may have changed."""
        rested = time.monotonic() >= self._map_rests_until
        if self._map.wanted() and self._map_stamp and self._map_job.done() and rested:
            self._map_job = Future()
            self._worker.call(self._begin_map)

    def _begin_map(self) -> None:
        """Have the map published between decodings, whoever does that."""
        done, self._map_job = self._map_job, self._mapper.between(self._publish_map)
        done.set_result(None)

    def map_points(self) -> int:
        """Points of the map as published last."""
        return self._map.point_count

    def waiting(self) -> int:
        """Images between intake and worker."""
        return len(self._mailbox)

    def _deliver(self, received: Received) -> None:
        if self.paused:
            self.counts.drop("paused")
        elif self._mailbox.put(received.camera, partial(self._process, received)) is not None:
            latest = self.config.input.policy == "latest"
            self.counts.drop("superseded" if latest else "queue_full")

    def _restart(self) -> None:
        self.node.get_logger().info("time went back: the map is reset and a new epoch begins")
        self.counts.drop("time_went_back", self._mailbox.clear())
        self._worker.call(self._reset)

    def _reset(self) -> None:
        self._mapper.reset()
        self._frames.clear()

    def _process(self, received: Received) -> None:
        began = time.monotonic()
        self.durations.add("wait", (began - received.arrived) * 1e3)
        try:
            with self.durations.stage("receive"):
                frame = self._reader.frame(received)
        except RejectedImage as refusal:
            self.counts.drop(refusal.reason)
            self.node.get_logger().warning(f"image dropped: {refusal}", throttle_duration_sec=10.0)
            return
        self._check_size(frame)
        self._place(received)
        update = self._mapper.step(frame)
        if frame.camera == self.config.input.cameras[0]:
            self.scale.learn(update, received.frame_id)
        update = self.scale.applied(update)
        for stage, milliseconds in update.timings.items():
            self.durations.add(stage, milliseconds, update.computed.get(stage, 0.0))
        self._note_state(update)
        self._publish(received, frame, update)
        self.counts.processed += 1
        self.fault = None
        self.rate.tick(time.monotonic())
        if update.decoded:
            self.decodings.tick(time.monotonic())
            self.counts.decoded += 1
        self.durations.add("total", (time.monotonic() - received.arrived) * 1e3)
        self._mapper.catch_up()

    def _place(self, received: Received) -> None:
        try:
            self._extrinsics.place(received.camera, received.frame_id, received.stamp)
        except TransformUnknown as error:
            self.node.get_logger().warning(
                f"camera '{received.camera}' is placed by what it sees alone: {error}",
                throttle_duration_sec=10.0,
            )

    def _check_size(self, frame: Frame) -> None:
        previous = self._frames.get(frame.camera)
        if previous is not None and previous.size != frame.size:
            self.node.get_logger().warning(
                f"images changed from {previous.size[1]}x{previous.size[0]} to "
                f"{frame.size[1]}x{frame.size[0]}: the map is reset and a new epoch begins"
            )
            self._reset()
        self._frames[frame.camera] = frame

    def _note_state(self, update: Update) -> None:
        before = self.update
        if before is None or before.state is not update.state:
            self._log_state(update)
        if before is not None and before.epoch != update.epoch:
            self.node.get_logger().info(f"epoch {update.epoch} begins")
        self.update = update

    def _log_state(self, update: Update) -> None:
        text = f"{update.state.value}: {update.reason}" if update.reason else update.state.value
        if update.state is Tracking.LOST:
            self.node.get_logger().warning(text)
        else:
            self.node.get_logger().info(text)

    def _publish(self, received: Received, frame: Frame, update: Update) -> None:
        frame_id = received.frame_id
        header = header_at(received.stamp, frame_id)
        with self.durations.stage("publish_maps"):
            self._cameras[received.camera].publish(frame, update, header, self.config.output)
        if received.camera == self.config.input.cameras[0]:
            with self.durations.stage("publish_poses"):
                self._publish_pose(update, frame_id)
        self._map_stamp = received.stamp

    def _publish_pose(self, update: Update, frame_id: str) -> None:
        try:
            T_base_camera = self._extrinsics.base_from_camera(frame_id, update.stamp)
            tolerance = self.config.frames.transform_tolerance
            self._poses.publish(update, frame_id, T_base_camera, tolerance)
            self.missing_transform = None
        except TransformUnknown as error:
            self.missing_transform = str(error)
            self.node.get_logger().warning(
                f"odometry and TF pause: {error}", throttle_duration_sec=10.0
            )

    def _publish_map(self) -> None:
        epoch = 0 if self.update is None else self.update.epoch
        began = time.monotonic()
        self._map.publish(self._mapper, self._map_stamp, epoch, self.config, self.scale.factor)
        took = time.monotonic() - began
        self.durations.add("map", took * 1e3)
        self._map_rests_until = began + took / MAP_SHARE

    def _on_fault(self, error: BaseException) -> None:
        self.fault = f"{type(error).__name__}: {error}"
        self.counts.drop("fault")
        self.beyond_recovery |= is_final(error)
        self.node.get_logger().error(
            "".join(traceback.format_exception(error)), throttle_duration_sec=10.0
        )
