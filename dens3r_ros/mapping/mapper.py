# SPDX-License-Identifier: Apache-2.0
"""The whole interface of mapping: a frame in, an update out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.backend import Backend
from dens3r_ros.mapping.cameras import at_input, fit_camera
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.keyframe import Keyframe
from dens3r_ros.mapping.keyframing import KeyframeMaker
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.observation import Observation, observe
from dens3r_ros.mapping.odometry import Odometry, in_map
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.stream import Stream
from dens3r_ros.mapping.tracker import Track, View, track
from dens3r_ros.mapping.update import Counters, KeyframeView, TimedPose, Tracking, Update
from dens3r_ros.mapping.window import Window

_UPRIGHT = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""An upright camera's optical frame in a frame with x forward and z up."""


@dataclass(frozen=True, eq=False)
class _Record:
    """A frame, kept relative to its keyframe."""

    stamp: int
    camera: str
    keyframe_id: int
    T_keyframe_frame: np.ndarray
    epoch: int


@dataclass(eq=False)
class _Step:
    """What one step has found so far."""

    frame: Frame
    features: Features
    stream: Stream
    watch: Stopwatch
    view: View
    state: Tracking = Tracking.LOST
    reason: str = ""
    seen: Observation | None = None
    found: Track | None = None
    keyframe_made: bool = False


class Mapper:
    """Builds one consistent world from the frames of one or several cameras."""

    def __init__(self, engine: Engine, config: MapperConfig | None = None) -> None:
        self.engine = engine
        self.config = config or MapperConfig()
        scale = self.config.scale
        self.metric = engine.info.metric if scale == "auto" else scale == "metric"
        self._maker = KeyframeMaker(engine, self.config, self.metric)
        self._begin(epoch=0)

    def _begin(self, epoch: int) -> None:
        self._number = 0
        self._streams: dict[str, Stream] = {}
        self._records: list[_Record] = []
        self._counts = {"tracked": 0, "lost": 0, "keyframes": 0}
        self._odometry = Odometry(epoch)
        self._backend = Backend(self.metric, self.config.graph)
        self._window = Window(self.config.window.keyframes, self._leave)

    def step(self, frame: Frame) -> Update:
        """Take one frame in; frames of one camera come in the order of their stamps."""
        watch = Stopwatch()
        self._number += 1
        with watch.stage("encode"):
            features = self.engine.encode([frame])[0]
        stream = self._streams.setdefault(frame.camera, Stream(frame.camera))
        with watch.stage("image"):
            view = stream.view(features, self.config.calibrated, with_texture=True)
        step = _Step(frame, features, stream, watch, view)
        with watch.stage("solve"):
            if self._backend.apply(self._number):
                self._follow_solve(stream)
        if stream.keyframe_id is None:
            self._start(step)
        else:
            self._track(step)
        return self._update(step)

    def _start(self, step: _Step) -> None:
        """The first keyframe, from one frame."""
        with step.watch.stage("decode"):
            seen = observe(self.engine, [(step.features, step.features)], normals=True)[0]
        self._learn_lens(step, seen)
        made = self._maker.from_points(
            0, step.features, step.view, seen.frame_points, seen.frame_confidence, 1.0
        )
        S = _UPRIGHT.copy()
        self._backend.graph.add_keyframe(made.id, S)
        self._odometry.begin(made.id, S)
        self._accept(step, seen, _standing_on(made), made)
        step.keyframe_made = True

    def _track(self, step: _Step) -> None:
        stream = step.stream
        assert stream.keyframe_id is not None
        keyframe = self._window.use(stream.keyframe_id)
        with step.watch.stage("decode"):
            pair = (step.features, keyframe.features)
            seen = observe(self.engine, [pair], normals=True)[0]
        self._learn_lens(step, seen)
        with step.watch.stage("track"):
            start = stream.T_keyframe_frame
            found = track(seen, step.view, keyframe, start, self.config.tracking)
        if isinstance(found, str):
            step.reason = found
            self._counts["lost"] += 1
            return
        with step.watch.stage("fuse"):
            self._maker.fold(keyframe, seen, found)
        step.state, step.seen, step.found = Tracking.TRACKING, seen, found
        stream.T_keyframe_frame = found.T_keyframe_frame
        self._refresh_map_odom(keyframe.id, found.T_keyframe_frame)
        if self._leaves(found):
            with step.watch.stage("keyframe"):
                self._keyframe(step, keyframe)
        else:
            self._remember(step, keyframe.id, found.T_keyframe_frame)

    def _leaves(self, found: Track) -> bool:
        """Whether the frame has moved so far that another keyframe serves better."""
        cosine = (np.trace(found.T_keyframe_frame[:3, :3]) - 1) / 2
        turned = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
        limits = self.config.keyframes
        return found.matched < limits.min_matched or turned > limits.max_rotation_deg

    def _keyframe(self, step: _Step, keyframe: Keyframe) -> None:
        """Make a keyframe of the frame and link it."""
        assert step.seen is not None and step.found is not None
        graph = self._backend.graph
        made = self._maker.from_track(
            self._counts["keyframes"], step.features, step.view, step.seen, step.found, keyframe
        )
        T = step.found.T_keyframe_frame
        graph.add_keyframe(made.id, graph.poses[keyframe.id] @ T)
        self._odometry.hand_over(made.id, np.eye(4), T, np.eye(4))
        settings = self.config.graph
        around = self._window.overlapping(made, graph, settings.neighbours, settings.min_overlap)
        graph.add_edges(self._maker.links(made, step.seen, keyframe, around, graph))
        self._accept(step, step.seen, step.found, made)
        step.keyframe_made = True
        self._backend.ask(self._number)

    def _accept(self, step: _Step, seen: Observation, found: Track, made: Keyframe) -> None:
        self._counts["keyframes"] += 1
        self._window.add(made)
        step.state, step.seen, step.found = Tracking.TRACKING, seen, found
        step.stream.keyframe_id = made.id
        step.stream.T_keyframe_frame = np.eye(4)
        self._remember(step, made.id, np.eye(4))

    def _remember(self, step: _Step, keyframe_id: int, T_keyframe_frame: np.ndarray) -> None:
        self._counts["tracked"] += 1
        record = _Record(
            step.frame.stamp,
            step.frame.camera,
            keyframe_id,
            T_keyframe_frame,
            self._odometry.epoch,
        )
        self._records.append(record)

    def _learn_lens(self, step: _Step, seen: Observation) -> None:
        if step.view.calibrated:
            return
        step.stream.estimate.add(fit_camera(seen.frame_points, seen.frame_confidence))
        camera, given = step.stream.camera_for(step.features, self.config.calibrated)
        step.view = View(camera, given, step.view.texture)

    def _follow_solve(self, stream: Stream) -> None:
        if stream.keyframe_id is not None:
            self._refresh_map_odom(stream.keyframe_id, stream.T_keyframe_frame)

    def _refresh_map_odom(self, keyframe_id: int, T_keyframe_frame: np.ndarray) -> None:
        self._odometry.correct(self._backend.graph.poses[keyframe_id], T_keyframe_frame)

    def _leave(self, keyframe: Keyframe) -> None:
        """What happens to a keyframe that leaves the window."""

    def _update(self, step: _Step) -> Update:
        tracked = step.state is Tracking.TRACKING
        stream = step.stream
        T_odom_camera = T_map_camera = None
        if tracked:
            T_odom_camera = self._odometry.camera(stream.T_keyframe_frame)
            T_map_camera = self._odometry.T_map_odom @ T_odom_camera
        scale = 1.0
        if stream.keyframe_id is not None:
            scale = self._odometry.scale(self._backend.graph.poses[stream.keyframe_id])
        return Update(
            state=step.state,
            stamp=step.frame.stamp,
            camera=step.frame.camera,
            T_odom_camera=T_odom_camera,
            T_map_camera=T_map_camera,
            T_map_odom=self._odometry.T_map_odom,
            covariance=self._covariance(step),
            keyframe_made=step.keyframe_made,
            keyframe_id=stream.keyframe_id,
            epoch=self._odometry.epoch,
            scale=scale,
            metric=self.metric,
            maps=self._maps(step) if tracked else None,
            intrinsics=at_input(step.view.camera, step.features.placement) if tracked else None,
            intrinsics_estimated=not step.view.calibrated,
            matched=step.found.matched if step.found else 0.0,
            reason=step.reason,
            timings=dict(step.watch.milliseconds),
            counters=self._counters(),
        )

    def _covariance(self, step: _Step) -> np.ndarray | None:
        if step.found is None:
            return None
        unit = np.array([self._odometry.unit] * 3 + [1.0] * 3)
        return step.found.covariance * unit[:, None] * unit

    def _maps(self, step: _Step) -> Maps | None:
        if step.seen is None or step.found is None or step.found.scale is None:
            return None
        rays = None
        if step.view.calibrated and step.stream.keyframe_id is not None:
            rays = self._window[step.stream.keyframe_id].canonical.rays
        return Maps(
            step.seen.frame_points,
            step.seen.frame_confidence,
            step.found.scale * self._odometry.unit,
            step.features.placement,
            rays,
            step.seen.frame_normals,
        )

    def _counters(self) -> Counters:
        graph = self._backend.graph
        return Counters(
            frames=self._number,
            tracked=self._counts["tracked"],
            lost=self._counts["lost"],
            keyframes=self._counts["keyframes"],
            keyframes_in_window=len(self._window),
            keyframes_in_archive=len(graph.poses) - len(self._window),
            edges=len(graph.edges),
            solves=self._backend.solves,
        )

    def trajectory(self) -> list[TimedPose]:
        """The corrected pose of every frame that has one, in the order of the frames."""
        self._backend.finish()
        poses = self._backend.graph.poses
        return [
            TimedPose(
                record.stamp,
                record.camera,
                in_map(poses[record.keyframe_id], record.T_keyframe_frame),
                record.keyframe_id,
                record.epoch,
            )
            for record in self._records
        ]

    def keyframes(self) -> list[KeyframeView]:
        """Every keyframe, archived ones included, oldest first."""
        return [self._shown(keyframe) for keyframe in sorted(self._window, key=lambda k: k.id)]

    def reset(self) -> None:
        """Forget the map and begin a new epoch."""
        self._backend.close()
        self._begin(self._odometry.epoch + 1)

    def close(self) -> None:
        """End the solver's process; the mapper can still be read."""
        self._backend.finish()
        self._backend.close()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _standing_on(keyframe: Keyframe) -> Track:
    """The track of a frame that is its own keyframe."""
    return Track(np.eye(4), np.eye(4), 1.0, 0.0, 1e-12 * np.eye(6), 1.0, 1.0, 0.0, 0)
