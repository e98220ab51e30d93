# SPDX-License-Identifier: Apache-2.0
"""Making a keyframe of a frame: its first pointmap, and its links to what is around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.fusion import canonical_from, carried
from dens3r_ros.mapping.graph import PoseGraph
from dens3r_ros.mapping.keyframe import Keyframe
from dens3r_ros.mapping.linking import Link, agree, link
from dens3r_ros.mapping.observation import Observation, observe
from dens3r_ros.mapping.refinement import Texture, textured_pixels
from dens3r_ros.mapping.tracker import Track, View


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
        rays = pixel_rays(view.camera).numpy() if view.calibrated else None
        canonical = canonical_from(points, confidence, scale, rays)
        grey = view.texture.grey
        texture = Texture(grey, textured_pixels(grey))
        return Keyframe(keyframe_id, features, canonical, view.camera, view.calibrated, texture)

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
        T_frame_keyframe = np.linalg.inv(found.T_keyframe_frame)
        points, weight = carried(keyframe.canonical, T_frame_keyframe, view.camera)
        made.canonical.inherit(keyframe.canonical, points, weight, self._config.fusion)
        return made

    def links(
        self,
        made: Keyframe,
        seen: Observation,
        keyframe: Keyframe,
        neighbours: Sequence[Keyframe],
        graph: PoseGraph,
    ) -> list[Link]:
        """Links between a new keyframe and others; what they show of it is folded in.

        `seen` is the prediction (made, keyframe) that tracked it.
        """
        others = [other for other in neighbours if other.id != keyframe.id]
        pairs = [(keyframe.features, made.features)]
        for other in others:
            pairs += [(made.features, other.features), (other.features, made.features)]
        predictions = observe(self._engine, pairs)
        found = self._both_ways(made, keyframe, seen, predictions[0], graph, sure=True)
        for n, other in enumerate(others):
            there, back = predictions[1 + 2 * n], predictions[2 + 2 * n]
            found += self._both_ways(made, other, there, back, graph, sure=False)
        return found

    def _both_ways(
        self,
        made: Keyframe,
        other: Keyframe,
        there: Observation,
        back: Observation,
        graph: PoseGraph,
        sure: bool,
    ) -> list[Link]:
        """Links from `there`, the prediction (made, other), and `back`, (other, made)."""
        S = graph.relative(other.id, made.id)
        forth = link(there, other, made, S, self._config, self._metric)
        home = link(back, made, other, np.linalg.inv(S), self._config, self._metric)
        if isinstance(forth, str) or isinstance(home, str):
            return [forth] if sure and isinstance(forth, Link) else []
        depth = other.canonical.median_depth
        least = self._config.graph.min_overlap
        if not agree(forth, home, depth) or min(forth.track.matched, home.track.matched) < least:
            return [forth] if sure else []
        self.fold(made, back, home.track)
        if not sure:
            self.fold(other, there, forth.track)
        return [forth, home]

    def fold(self, keyframe: Keyframe, seen: Observation, found: Track) -> None:
        """Take the prediction (frame, keyframe) into the keyframe's pointmap."""
        if found.scale is None:
            return
        T = found.T_keyframe_pair
        turned = (found.scale * T[:3, :3]).astype(np.float32)
        points = seen.keyframe_points @ turned.T + T[:3, 3].astype(np.float32)
        keyframe.canonical.fold(points, seen.keyframe_confidence, self._config.fusion)
        keyframe.revision += 1
