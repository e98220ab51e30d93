# SPDX-License-Identifier: Apache-2.0
"""What one would do without a mapper: chain the poses of neighbouring pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.cameras import fit_camera, rays_at
from dens3r_ros.mapping.tracking.observation import Observation, observe
from dens3r_ros.mapping.tracking.resection import RayMatches, resect_from_scratch
from dens3r_ros.mapping.tracking.tracker import grid_pixels

_STRIDE = 8
_LEAST_CONFIDENCE = 1.5


class PairChain:
    """Poses of frames, each placed against the one before it by their pair alone.

    The scales of two pairs are brought together on the frame that they share.
    """

    def __init__(self, engine: Engine) -> None:
        self.poses: list[tuple[int, np.ndarray]] = []
        self._engine = engine
        self._features: Features | None = None
        self._seen: Observation | None = None
        self._T_world_camera = np.eye(4)
        self._scale = 1.0

    def add(self, frame: Frame) -> None:
        """Place one more frame; it stays where the last one was if the pair tells nothing."""
        features = self._engine.encode([frame])[0]
        if self._features is not None:
            seen = observe(self._engine, [(self._features, features)])[0]
            self._place(seen, features)
            self._seen = seen
        self._features = features
        self.poses.append((frame.stamp, self._T_world_camera.copy()))

    def _place(self, seen: Observation, features: Features) -> None:
        if self._seen is not None:
            self._scale *= _shared_scale(self._seen, seen)
        T = _pair_pose(seen, features)
        if T is None:
            return
        T[:3, 3] *= self._scale
        self._T_world_camera = self._T_world_camera @ T


def _pair_pose(seen: Observation, features: Features) -> np.ndarray | None:
    """T_before_after, in the pair's unit: the second view's points against its own pixels."""
    height, width = seen.keyframe_confidence.shape
    grid = grid_pixels((height, width), _STRIDE)
    x, y = grid.T
    grid = grid[seen.keyframe_confidence[y, x] > _LEAST_CONFIDENCE]
    camera = features.intrinsics or fit_camera(seen.frame_points, seen.frame_confidence)
    if camera is None or len(grid) < 12:
        return None
    x, y = grid.T
    points = seen.keyframe_points[y, x].astype(np.float64)
    matches = RayMatches(points, rays_at(grid.astype(np.float64), camera), np.ones(len(grid)))
    found = resect_from_scratch(matches, 2 / camera.fx, TrackingConfig(sigma_depth=0.0))
    return None if found is None else np.linalg.inv(found.T_frame_keyframe)


def _shared_scale(before: Observation, after: Observation) -> float:
    """Length of the later pair's unit in the earlier one's, by the spread of the shared view."""
    sure = (before.keyframe_confidence > _LEAST_CONFIDENCE) & (
        after.frame_confidence > _LEAST_CONFIDENCE
    )
    sure[::2] = False
    if sure.sum() < 50:
        return 1.0
    earlier, later = before.keyframe_points[sure], after.frame_points[sure]
    spread = [np.median(np.linalg.norm(p - np.median(p, 0), axis=1)) for p in (earlier, later)]
    return float(spread[0] / max(spread[1], 1e-9))


def chained_ate(chain: PairChain, true_poses: Mapping[int, np.ndarray]) -> float:
    """Metres of absolute error, after Sim(3), of a chain's poses against those known by stamp."""
    both = [(pose, true_poses[stamp]) for stamp, pose in chain.poses if stamp in true_poses]
    stamps = np.arange(len(both), dtype=float)
    return compare(
        stamps, np.array([pose for pose, _ in both]), np.array([truth for _, truth in both])
    ).ate_sim3_m
