# SPDX-License-Identifier: Apache-2.0
"""What exists between configure and cleanup: engine, mapper, outputs and their bookkeeping."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from rclpy.node import Node

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.answers.map_store import MapStore
from dens3r_ros.nodes.answers.photos import PhotoPlacing
from dens3r_ros.nodes.faults import IMAGE, Faults
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.images import RejectedImage
from dens3r_ros.nodes.inputs.intake import Intake, Received
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.inputs.metres import Metres
from dens3r_ros.nodes.inputs.metric_scale import MetricScale
from dens3r_ros.nodes.inputs.reading import Reader
from dens3r_ros.nodes.inputs.statistics import Durations, FrameCounts, Rate
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.outputs.dense_outputs import DenseOutputs
from dens3r_ros.nodes.outputs.map_outputs import MapOutputs
from dens3r_ros.nodes.outputs.map_pacing import MapPacing
from dens3r_ros.nodes.outputs.outlet import Outlet
from dens3r_ros.nodes.outputs.pose_outputs import PoseOutputs
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.settings.mapper_config import mapper_config
from dens3r_ros.nodes.state_log import log_changes
from dens3r_ros.nodes.worker import Job, Worker


class NodeSession:
    """Takes images to outputs on a worker thread."""

    def __init__(self, node: Node, config: NodeConfig, engine: Engine) -> None:
        self.node, self.config, self.engine = node, config, engine
        self.counts, self.durations = FrameCounts(), Durations()
        self.rate, self.decodings, self.faults = Rate(), Rate(), Faults()
        self.update: Update | None = None
        self.missing_transform: str | None = None
        self.paused = False
        self.intake: Intake | None = None
        self._frames: dict[str, Frame] = {}
        self._reader = Reader(config.input.max_image_pixels, node.get_logger())
        self._extrinsics = Extrinsics(node, config)
        self.scale = MetricScale(node, config, self._extrinsics)
        settings = mapper_config(config, self._extrinsics.of_others)
        self._mapper = Mapper(engine, settings, gyroscope=self.scale.gyroscope)
        self.metres = Metres(node.get_logger(), engine.info, self.scale)
        self._free = True
        """Whether what has a length may be published."""
        self._poses = PoseOutputs(node, config.frames, self._extrinsics.lookup)
        self._map = MapOutputs(node, config)
        self._pacing = MapPacing(self._map.wanted)
        latest = config.input.policy == "latest"
        self._mailbox: Mailbox[Job] = Mailbox(1 if latest else config.input.queue_size, latest)
        self._worker = Worker(self._mailbox, partial(self._on_fault, IMAGE))
        self.maps = MapStore(
            config.map,
            self._worker,
            self._mapper.snapshot,
            self._adopt,
            partial(self._on_fault, "map file"),
        )
        state, told = (lambda: (self.update, self.config)), partial(self._on_fault, "photo")
        self.photos = PhotoPlacing(self._worker, self._mapper, self.scale, state, told)
        self._outlet = Outlet()
        self.dense = DenseOutputs(
            node, config, self._outlet, self.durations, self.faults, self._on_fault
        )
        self._map_stamp = 0

    def activate(self) -> None:
        """Listen to the cameras."""
        self._outlet.open()
        self._pacing.touch()
        self.intake = Intake(
            self.node,
            self.config.input,
            self.counts,
            self._deliver,
            self._restart,
            partial(self._on_fault, "intake"),
        )

    def deactivate(self) -> None:
        """Stop listening, forget what waits, and publish nothing more."""
        if self.intake is not None:
            self.intake.destroy()
            self.intake = None
        self._outlet.shut()
        self.counts.drop("deactivated", self._mailbox.clear())
        self.dense.clear()

    def close(self, timeout_s: float) -> bool:
        """Stop the worker and withdraw the topics; whether the worker ended in time."""
        self.deactivate()
        ended = self._worker.stop(timeout_s)
        self.maps.close(0.0)
        self.photos.close(0.0)
        if ended:
            self._mapper.close()
        ended &= self.dense.stop(timeout_s)
        self._poses.destroy()
        self._map.destroy()
        self.scale.destroy()
        return ended

    def reset(self, why: str = "a reset was asked for") -> Future[None]:
        """Forget the map; the next image begins a new epoch."""
        self.counts.drop("reset", self._mailbox.clear())
        if self.intake is not None:
            self.intake.forget_stamps()
        return self._worker.call(partial(self._reset, why))

    def time_went_back(self) -> None:
        """The clock has jumped back: what comes has nothing to do with what came."""
        if self.intake is not None:
            self.intake.forget_stamps()
        self._restart()

    def change(self, config: NodeConfig) -> None:
        """Take over parameters that change live."""
        self.config = config
        self._pacing.touch()

    def publish_map(self) -> None:
        """Have the map published between decodings, if a listener has not got it as it is."""
        ready = self._map_stamp and self._free and self.intake is not None
        if ready and self._pacing.begins():
            self._worker.post(lambda: self._mapper.between(self._publish_map))

    def map_points(self) -> int:
        """Points of the map as published last."""
        return self._map.point_count

    def complaint(self) -> str | None:
        """What another node's transforms and ours cannot both say."""
        transforms = self._poses.transforms
        return None if transforms is None else transforms.complaint()

    def waiting(self) -> int:
        """Images between intake and worker."""
        return len(self._mailbox)

    def _deliver(self, received: Received) -> None:
        self.faults.clear("intake")
        if self.faults.failure:
            self.counts.drop("failed")
        elif self.paused:
            self.counts.drop("paused")
        elif self._mailbox.put(received.camera, partial(self._process, received)) is not None:
            latest = self.config.input.policy == "latest"
            self.counts.drop("superseded" if latest else "queue_full")

    def _restart(self) -> None:
        self.node.get_logger().info("time went back: the map is reset and a new epoch begins")
        self.counts.drop("time_went_back", self._mailbox.clear())
        self._worker.post(lambda: self._watched("restart", partial(self._reset, "time went back")))

    def _reset(self, why: str) -> None:
        self._mapper.reset(why)
        self._frames.clear()
        self.faults.begin_anew()
        self._pacing.touch()

    def _adopt(self, loaded: LoadedMap) -> tuple[int, int]:
        keyframes = self._mapper.adopt(loaded)
        self.faults.begin_anew()
        self._pacing.touch()
        return keyframes, self._mapper.epoch + self.scale.epochs

    def _process(self, received: Received) -> None:
        """Take an image through all stages; it is counted once, however that ends."""
        reason = "fault"
        try:
            reason = self._tracked(received)
        finally:
            self.counts.settle(reason)
        if not reason:
            self.faults.clear(IMAGE)
            self._watched("mapping", self._mapper.catch_up)

    def _tracked(self, received: Received) -> str:
        """Map and publish an image; why it was dropped, or nothing."""
        began = time.monotonic()
        self.durations.add("wait", (began - received.arrived) * 1e3)
        try:
            with self.durations.stage("receive"):
                frame = self._reader.frame(received)
        except RejectedImage as refusal:
            self.node.get_logger().warning(f"image dropped: {refusal}", throttle_duration_sec=10.0)
            return refusal.reason
        self._check_size(frame)
        self._place(received)
        self._pacing.touch()
        update = self._mapper.step(frame)
        if frame.camera == self.config.input.cameras[0]:
            self.scale.learn(update, received.frame_id)
        update = self.scale.applied(update)
        for stage, milliseconds in update.timings.items():
            self.durations.add(stage, milliseconds, update.computed.get(stage, 0.0))
        why = self.scale.began_epoch(update.epoch) or self._mapper.why_epoch
        log_changes(self.node.get_logger(), self.update, update, why)
        self.update = update
        self._free = self.metres.note(update, self.config.output.require_metric)
        self._outlet.send(partial(self._publish, received, frame, update))
        self.rate.tick(time.monotonic())
        if update.decoded:
            self.decodings.tick(time.monotonic())
            self.counts.decoded += 1
        self.durations.add("total", (time.monotonic() - received.arrived) * 1e3)
        return ""

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
            self._reset("images have another size")
        self._frames[frame.camera] = frame

    def _publish(self, received: Received, frame: Frame, update: Update) -> None:
        frame_id = received.frame_id
        if self._free:
            # Before the maps, whose readers ask TF for the place.
            with self.durations.stage("publish_poses"):
                self._publish_place(update, received.camera, frame_id)
        header = header_at(received.stamp, frame_id)
        self.dense.publish(frame, update, header, self.config.output, self._free)
        self._map_stamp = received.stamp

    def _publish_place(self, update: Update, camera: str, frame_id: str) -> None:
        transforms = self._poses.transforms
        if camera == self.config.input.cameras[0]:
            self._publish_pose(update, frame_id)
        elif transforms is not None and (mounting := self._extrinsics.given(camera)):
            transforms.place(mounting.beside, frame_id, mounting.T_first_camera)
        elif transforms is not None and camera not in self._extrinsics.of_others:
            transforms.follow(update, frame_id)

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
        def publish() -> None:
            self.durations.add("map", self._pacing.publish(self._make_map))

        self._watched("map publishing", publish)

    def _make_map(self) -> None:
        update, config = self.update, self.config
        epoch, metric = (0, False) if update is None else (update.epoch, update.metric)
        scale, outlet = self.scale.factor, self._outlet
        self._map.camera_height, self._map.level = self.scale.camera_height, self.scale.level.map
        self._map.publish(self._mapper, self._map_stamp, epoch, config, scale, metric, outlet)

    def _watched(self, stage: str, work: Callable[[], None]) -> None:
        """Do what belongs to no single image; its error stands until it works again."""
        try:
            work()
        except Exception as error:
            self._on_fault(stage, error)
        else:
            self.faults.clear(stage)

    def _on_fault(self, stage: str, error: BaseException) -> None:
        if self.faults.add(stage, error):
            self.node.get_logger().error("".join(traceback.format_exception(error)))
