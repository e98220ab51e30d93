# SPDX-License-Identifier: Apache-2.0
"""The whole interface of mapping: a frame in, an update out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.backend import Backend
from dens3r_ros.mapping.cameras import fit_camera
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.initialiser import First, Initialiser
from dens3r_ros.mapping.interfaces import KeyframeArchive, Leveller, PlaceIndex
from dens3r_ros.mapping.keyframe import Keyframe
from dens3r_ros.mapping.keyframing import KeyframeMaker
from dens3r_ros.mapping.linking import Link, remeasured
from dens3r_ros.mapping.loops import LoopCloser
from dens3r_ros.mapping.maps import normals_of
from dens3r_ros.mapping.observation import Observation, observe
from dens3r_ros.mapping.odometry import Odometry
from dens3r_ros.mapping.reporting import keyframe_view, report
from dens3r_ros.mapping.step import Record, Step
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.stream import Stream
from dens3r_ros.mapping.tracker import Track, View, track
from dens3r_ros.mapping.update import Counters, KeyframeView, TimedPose, Tracking, Update
from dens3r_ros.mapping.window import Window

_UPRIGHT = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
"""An upright camera's optical frame in a frame with x forward and z up."""


class Mapper:
    """Builds one consistent world from the frames of one or several cameras."""

    def __init__(
        self,
        engine: Engine,
        config: MapperConfig | None = None,
        places: PlaceIndex | None = None,
        archive: KeyframeArchive | None = None,
        leveller: Leveller | None = None,
    ) -> None:
        self.engine = engine
        self.config = config or MapperConfig()
        scale = self.config.scale
        self.metric = engine.info.metric if scale == "auto" else scale == "metric"
        self._places, self._archive, self._leveller = places, archive, leveller
        self._maker = KeyframeMaker(engine, self.config, self.metric)
        self._begin(epoch=0)

    def _begin(self, epoch: int) -> None:
        self._number = self._lost = self._next_id = 0
        self._streams: dict[str, Stream] = {}
        self._records: list[Record] = []
        self._links: list[Link] = []
        self._odometry = Odometry(epoch)
        self._backend = Backend(self.metric, self.config.graph)
        self._window = Window(self.config.window.keyframes, self._archive_keyframe)
        self._initialiser = Initialiser(self.engine, self._maker, self.config)
        self._loops = LoopCloser(
            self.engine, self.config, self.metric, self._places, self._maker, self._recall
        )

    def step(self, frame: Frame) -> Update:
        """Take one frame in; frames of one camera come in the order of their stamps."""
        watch = Stopwatch()
        self._number += 1
        with watch.stage("encode"):
            features = self.engine.encode([frame])[0]
        stream = self._streams.setdefault(frame.camera, Stream(frame.camera))
        with watch.stage("image"):
            view = stream.view(features, self.config.calibrated)
        step = Step(frame, features, stream, watch, view)
        with watch.stage("solve"):
            if self._backend.apply(self._number) and stream.keyframe_id is not None:
                self._correct(stream)
        if stream.keyframe_id is None:
            self._start(step)
        else:
            self._follow(step, stream.keyframe_id)
        return report(step, self._odometry, self._backend.graph, self._counters(), self.metric)

    def _start(self, step: Step) -> None:
        """The first keyframe."""
        step.state = Tracking.INITIALISING
        with step.watch.stage("decode"):
            first = self._initialiser.offer(step.features, step.view)
        if isinstance(first, str):
            step.reason = first
            return
        self._backend.prepare()
        S = np.eye(4)
        S[:3, :3] = self._level(first.keyframe)
        self._backend.graph.add_keyframe(first.keyframe.id, S)
        self._odometry.begin(first.keyframe.id, S)
        self._take_in(step, first.keyframe)
        step.saw(first.seen, first.found)
        self._learn_lens(step, first.seen)
        if first.found is not None:
            self._place_waiting(first)
            self._remember(step, first.keyframe.id, first.found.T_keyframe_frame)
        else:
            self._remember(step, first.keyframe.id, np.eye(4))

    def _place_waiting(self, first: First) -> None:
        """Poses for the frames that came before there was a keyframe."""
        keyframe = first.keyframe
        self._records.append(Record.of(keyframe.features.frame, keyframe.id, np.eye(4), 0))
        for waiting in first.waiting:
            seen = observe(self.engine, [(waiting.features, keyframe.features)])[0]
            found = track(seen, waiting.view, keyframe, None, self.config.tracking, self.metric)
            if isinstance(found, Track):
                T = found.T_keyframe_frame
                self._records.append(Record.of(waiting.features.frame, keyframe.id, T, 0))

    def _level(self, keyframe: Keyframe) -> np.ndarray:
        if self._leveller is None:
            return _UPRIGHT
        canonical = keyframe.canonical
        normals = normals_of(canonical.points)
        return self._leveller(canonical.points, normals, canonical.confidence)[0]

    def _follow(self, step: Step, keyframe_id: int) -> None:
        """Track against the current keyframe, or find out where else the frame is."""
        keyframe = self._window.use(keyframe_id)
        with step.watch.stage("decode"):
            pair = (step.features, keyframe.features)
            seen = observe(self.engine, [pair], normals=True)[0]
        self._learn_lens(step, seen)
        with step.watch.stage("track"):
            start = None if step.stream.lost else step.stream.T_keyframe_frame
            found = track(seen, step.view, keyframe, start, self.config.tracking, self.metric)
        if isinstance(found, str):
            self._lose(step, found, keyframe_id)
            return
        step.stream.lost = 0
        with step.watch.stage("fuse"):
            self._maker.fold(keyframe, seen, found)
        self._found(step, keyframe, seen, found)
        if self._leaves(found):
            with step.watch.stage("keyframe"):
                self._change_keyframe(step, keyframe, seen, found)

    def _found(self, step: Step, keyframe: Keyframe, seen: Observation, found: Track) -> None:
        step.saw(seen, found)
        step.stream.keyframe_id = keyframe.id
        step.stream.T_keyframe_frame = found.T_keyframe_frame
        self._remember(step, keyframe.id, found.T_keyframe_frame)
        self._correct(step.stream)

    def _lose(self, step: Step, reason: str, keyframe_id: int) -> None:
        """Look for the frame among all keyframes."""
        stream = step.stream
        stream.lost += 1
        recent = [keyframe.id for keyframe in self._window][-3:][::-1]
        with step.watch.stage("relocalise"):
            place = self._loops.relocalise(step.features, step.view, recent)
        if place is None:
            self._lost += 1
            step.state = Tracking.LOST if stream.lost == 1 else Tracking.RELOCALISING
            step.reason = reason
            return
        keyframe, found, seen = place
        poses = self._backend.graph.poses
        if keyframe.id not in self._window:
            self._window.add(keyframe)
        self._odometry.resume(keyframe.id, poses[keyframe.id], poses[keyframe_id])
        stream.lost = 0
        self._found(step, self._window.use(keyframe.id), seen, found)

    def _leaves(self, found: Track) -> bool:
        """Whether the frame has moved so far that another keyframe serves better."""
        cosine = (np.trace(found.T_keyframe_frame[:3, :3]) - 1) / 2
        turned = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
        limits = self.config.keyframes
        return found.matched < limits.min_matched or turned > limits.max_rotation_deg

    def _change_keyframe(
        self, step: Step, keyframe: Keyframe, seen: Observation, found: Track
    ) -> None:
        """Take up an older keyframe that sees the same, or make a new one."""
        graph = self._backend.graph
        made = self._maker.from_track(
            self._next_id, step.features, step.view, seen, found, keyframe
        )
        T = found.T_keyframe_frame
        graph.add_keyframe(made.id, graph.poses[keyframe.id] @ T)
        self._odometry.hand_over(made.id, np.eye(4), T, np.eye(4))
        settings = self.config.graph
        around = self._window.overlapping(made, graph, settings.neighbours, settings.min_overlap)
        self._remeasure(keyframe)
        links = self._maker.links(made, seen, keyframe, around, graph)
        graph.add_edges(link.edge for link in links)
        self._links += links
        with step.watch.stage("loops"):
            graph.add_edges(self._loops.close(made, graph))
        self._take_in(step, made)
        self._backend.ask(self._number)

    def _remeasure(self, keyframe: Keyframe) -> None:
        """Measure a keyframe's edges again once its points have matured."""
        kept = []
        for link in self._links:
            if link.i.id not in self._window or link.j.id not in self._window:
                continue
            if keyframe.id in (link.i.id, link.j.id):
                edge = remeasured(link, self.config, self.metric)
                self._backend.graph.replace_edge(link.edge, edge)
                link = replace(link, edge=edge)
            kept.append(link)
        self._links = kept

    def _take_in(self, step: Step, made: Keyframe) -> None:
        self._next_id += 1
        self._window.add(made)
        self._loops.remember(made)
        step.stream.keyframe_id = made.id
        step.stream.T_keyframe_frame = np.eye(4)
        step.keyframe_made = True

    def _remember(self, step: Step, keyframe_id: int, T_keyframe_frame: np.ndarray) -> None:
        epoch = self._odometry.epoch
        self._records.append(Record.of(step.frame, keyframe_id, T_keyframe_frame, epoch))

    def _learn_lens(self, step: Step, seen: Observation) -> None:
        if step.view.calibrated:
            return
        step.stream.estimate.add(fit_camera(seen.frame_points, seen.frame_confidence))
        camera, given = step.stream.camera_for(step.features, self.config.calibrated)
        step.view = View(camera, given, step.view.texture)

    def _correct(self, stream: Stream) -> None:
        assert stream.keyframe_id is not None
        S_map_keyframe = self._backend.graph.poses[stream.keyframe_id]
        self._odometry.correct(S_map_keyframe, stream.T_keyframe_frame)

    def _archive_keyframe(self, keyframe: Keyframe) -> None:
        if self._archive is not None:
            self._archive.add(keyframe)

    def _recall(self, keyframe_id: int) -> Keyframe | None:
        if keyframe_id in self._window:
            return self._window[keyframe_id]
        if self._archive is not None and keyframe_id in self._archive:
            return self._archive.revive(keyframe_id)
        return None

    def _counters(self) -> Counters:
        return Counters(
            frames=self._number,
            tracked=len(self._records),
            lost=self._lost,
            keyframes=self._next_id,
            keyframes_in_window=len(self._window),
            keyframes_in_archive=0 if self._archive is None else len(self._archive),
            edges=len(self._backend.graph.edges),
            loops=self._loops.closed,
            loops_refused=self._loops.refused,
            solves=self._backend.solves,
        )

    def trajectory(self) -> list[TimedPose]:
        """The corrected pose of every frame that has one, in the order of their stamps."""
        poses = self._backend.graph.poses
        placed = [record.placed(poses[record.keyframe_id]) for record in self._records]
        return sorted(placed, key=lambda pose: pose.stamp)

    def keyframes(self) -> list[KeyframeView]:
        """Every keyframe, archived ones included, oldest first."""
        graph = self._backend.graph
        views = [keyframe_view(keyframe, keyframe.id, graph) for keyframe in self._window]
        if self._archive is not None:
            gone = [i for i in self._archive if i not in self._window]
            views += [keyframe_view(self._archive.shown(i), i, graph) for i in gone]
        return sorted(views, key=lambda view: view.id)

    def finish(self) -> None:
        """Wait for the solves that are under way, and follow them."""
        self._backend.finish()

    def reset(self) -> None:
        """Forget the map and begin a new epoch."""
        self._backend.close()
        self._begin(self._odometry.epoch + 1)

    def close(self) -> None:
        """End the solver's process; the mapper can still be read."""
        self._backend.close()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
