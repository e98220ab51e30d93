# SPDX-License-Identifier: Apache-2.0
"""Making a keyframe of a frame: its first pointmap, and its links to what is around it."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Engine, Features, LeavingOut
from dens3r_ros.mapping.config import MapperConfig, TrackingConfig
from dens3r_ros.mapping.graph.contradicting import contradiction
from dens3r_ros.mapping.graph.graph import PoseGraph, ScalePrior, rigid
from dens3r_ros.mapping.keyframes.covering import covering
from dens3r_ros.mapping.keyframes.linking import Link, agree, link, relative_scale, view_of
from dens3r_ros.mapping.motion.confirming import Confirming
from dens3r_ros.mapping.motion.weights import joined, much_moves, stillness, stillness_at, weighed
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import CARRIED, Canonical, canonical_from, carried
from dens3r_ros.mapping.tracking.depth.guided_depth import guided_depth
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.leading import led
from dens3r_ros.mapping.tracking.observation import Observation, observe, observe_together
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View


class KeyframeMaker:
    """Turns frames into keyframes and measures the edges between them."""

    def __init__(self, engine: Engine, config: MapperConfig, metric: bool) -> None:
        self._engine = engine
        self._config = config
        self._metric = metric

    def from_points(
        self,
        keyframe_id: int,
        features: Features,
        view: View,
        points: np.ndarray,
        confidence: np.ndarray,
        scale: float,
    ) -> Keyframe:
        """A keyframe whose pointmap is one prediction of its own view, times `scale`."""
        assert view.texture is not None
        rays = camera_rays(view.camera) if view.calibrated else None
        motion = joined(view.motion, self._left_out(features))
        confidence = weighed(confidence, motion)
        canonical = canonical_from(points, confidence, scale, rays)
        grey = view.texture.grey
        corners = textured_pixels(grey)
        corners = corners[stillness_at(motion, corners) > 0]
        texture = Texture(grey, corners, view.texture.doubt)
        made = Keyframe(
            keyframe_id, features, canonical, view.camera, view.calibrated, texture, motion=motion
        )
        if self._config.motion.enabled:
            made.confirming = Confirming(made.size, made.stamp)
        return made

    def from_track(
        self,
        keyframe_id: int,
        features: Features,
        view: View,
        seen: Observation,
        found: Track,
        keyframe: Keyframe,
    ) -> Keyframe:
        """A keyframe in the unit of the one it was tracked against, which hands its points on."""
        confidence = seen.frame_confidence
        if found.scale is None:
            confidence = np.ones_like(confidence)
        made = self.from_points(
            keyframe_id, features, view, seen.frame_points, confidence, found.scale or 1.0
        )
        self._hand_on(made, view, keyframe, found.T_keyframe_frame)
        return made

    def from_place(
        self,
        keyframe_id: int,
        features: Features,
        view: View,
        keyframe: Keyframe,
        T_keyframe_frame: np.ndarray,
    ) -> Keyframe:
        """A keyframe of which nothing is known but its place, by a calibrated view, and what
        another one hands on."""
        points = camera_rays(view.camera) * np.float32(keyframe.canonical.median_depth)
        unknown = np.ones(points.shape[:2], np.float32)
        made = self.from_points(keyframe_id, features, view, points, unknown, 1.0)
        self._hand_on(made, view, keyframe, T_keyframe_frame)
        return made

    def _hand_on(
        self, made: Keyframe, view: View, keyframe: Keyframe, T_keyframe_made: np.ndarray
    ) -> None:
        """Let a new keyframe have what another one knows."""
        T_frame_keyframe = np.linalg.inv(T_keyframe_made)
        points, weight = carried(keyframe.canonical, T_frame_keyframe, view.camera)
        if view.motion is not None:
            weight *= stillness(view.motion)
        handed = weight / np.float32(CARRIED * keyframe.canonical.folds)
        made.confirm(points[..., 2], 1 + handed, keyframe.stamp)
        made.canonical.inherit(keyframe.canonical, points, weight, self._config.fusion)

    def _left_out(self, features: Features) -> np.ndarray | None:
        """(h, w) float32 what the engine was told to move in a frame, 1 surely; None if nothing."""
        told = self._engine.left_out(features) if isinstance(self._engine, LeavingOut) else None
        return None if told is None else told.astype(np.float32)

    def expect_scale(self, keyframe: Keyframe, graph: PoseGraph) -> None:
        """Tell the graph what the engine, looking at the keyframe alone, says of its length unit,
        where every image is told its own metres."""
        error = self._engine.info.scale_error
        if self._metric or not (self._engine.info.metric and error):
            return
        alone = observe(self._engine, [(keyframe.features, keyframe.features)])[0]
        known = Canonical(alone.keyframe_points, alone.keyframe_confidence - 1)
        told = relative_scale(known, keyframe.canonical, keyframe.camera, np.eye(4))
        if told is not None:
            graph.expect_scale(keyframe.id, ScalePrior(told[0], float(np.hypot(error, told[1]))))

    def link_back(
        self, forth: Link, graph: PoseGraph, beside: Sequence[Features] = ()
    ) -> list[Link]:
        """The way home of the link by which a new keyframe was tracked, if it agrees; what it
        shows of the new keyframe is folded in. `beside`: what engines of many views see too."""
        left, made = forth.i, forth.j
        start = self._leading(left, made, graph)
        back = observe_together(self._engine, start, [made.features, *beside], told=1)[0]
        home = self._link(back, made, left, graph)
        if isinstance(home, str) or not self._agree(forth, home, left):
            return []
        self.fold(made, back, home.track, view_of(left), left.stamp)
        return [home]

    def link_both(
        self, made: Keyframe, other: Keyframe, graph: PoseGraph, beside: Sequence[Features] = ()
    ) -> Generator[None, None, list[Link]]:
        """Links between two keyframes, there and back, where both are found and agree with each
        other and with the graph; what they show is folded in. Yields between them. `beside` as of
        `link_back`."""
        start = self._leading(made, other, graph)
        there = observe_together(self._engine, start, [other.features, *beside], told=1)[0]
        forth = self._link(there, other, made, graph)
        if isinstance(forth, str) or not self._possible(forth, graph):
            return []
        yield
        start = self._leading(other, made, graph)
        back = observe_together(self._engine, start, [made.features, *beside], told=1)[0]
        home = self._link(back, made, other, graph)
        if isinstance(home, str) or not self._agree(forth, home, other):
            return []
        if not self._possible(home, graph):
            return []
        self.fold(made, back, home.track, view_of(other), other.stamp)
        self.fold(other, there, forth.track, view_of(made), made.stamp)
        return [forth, home]

    def _leading(self, seen: Keyframe, known: Keyframe, graph: PoseGraph) -> Features:
        """A keyframe's features that lead to the points of another, as the graph has them stand."""
        if not self._engine.info.guided:
            return seen.features
        T_known_seen = rigid(graph.relative(known.id, seen.id))
        return led(seen.features, known, seen.camera, T_known_seen)

    def _link(self, seen: Observation, i: Keyframe, j: Keyframe, graph: PoseGraph) -> Link | str:
        return link(seen, i, j, graph.relative(i.id, j.id), self._config, self._metric)

    def _possible(self, found: Link, graph: PoseGraph) -> bool:
        """Whether the graph allows a link: a wall that looks the same everywhere agrees in both
        directions on a place that is far from the true one."""
        return contradiction(found.edge, graph) <= self._config.loops.max_contradiction

    def _agree(self, forth: Link, home: Link, other: Keyframe) -> bool:
        least = self._config.graph.min_overlap
        enough = min(forth.track.matched, home.track.matched) >= least
        return enough and agree(forth, home, other.canonical.median_depth)

    def fold(
        self,
        keyframe: Keyframe,
        seen: Observation,
        found: Track,
        view: View,
        stamp: int,
        guided: bool = False,
    ) -> None:
        """Take the prediction (frame, keyframe) into the keyframe's pointmap, less of it where
        what the frame of that stamp, seen like `view`, shows there moves; where it tells no depth
        and may be `guided`, what follows from the frame's place."""
        T_frame_keyframe = np.linalg.inv(found.T_keyframe_frame)
        covered = covering(view, seen, keyframe.canonical, T_frame_keyframe)
        moving = joined(covered, keyframe.motion)
        if found.scale is not None:
            self._mix(keyframe, seen, found, covered, moving, stamp)
        # What moves leaves a pair little to tell its motion by; the map's points know more of it.
        scarce = much_moves(view.motion, keyframe.motion)
        if guided and (found.scale is None or scarce):
            told = guided_depth(seen, found, view, keyframe)
            if told is not None:
                depth, confidence = told
                self.fill(keyframe, depth, weighed(confidence, moving), stamp)

    def fill(
        self, keyframe: Keyframe, depth: np.ndarray, confidence: np.ndarray, stamp: int
    ) -> None:
        """Take depths (h, w) that a frame of that stamp shows where they are surer than what is
        known."""
        keyframe.confirm(depth, confidence, stamp)
        keyframe.canonical.fill(depth, confidence, self._config.fusion)
        keyframe.revision += 1

    @property
    def tracking(self) -> TrackingConfig:
        """How frames are placed."""
        return self._config.tracking

    def _mix(
        self,
        keyframe: Keyframe,
        seen: Observation,
        found: Track,
        covered: np.ndarray | None,
        moving: np.ndarray | None,
        stamp: int,
    ) -> None:
        """Mix a prediction with depth into a keyframe's points, but for what was covered by
        something or moves."""
        if covered is not None and self._config.fusion.mode == "weighted":
            keyframe.canonical.keep(1 - stillness(covered))
        assert found.scale is not None
        S = found.T_keyframe_pair[:3].astype(np.float32)
        S[:, :3] *= found.scale
        rows = S if keyframe.canonical.rays is None else S[2:]
        points = cv2.transform(seen.keyframe_points, rows)
        confidence = weighed(seen.keyframe_confidence, moving)
        keyframe.confirm(points if points.ndim == 2 else points[..., 2], confidence, stamp)
        keyframe.canonical.fold(points, confidence, self._config.fusion)
        keyframe.revision += 1
