# SPDX-License-Identifier: Apache-2.0
"""The factor graph itself, in GTSAM; the only place that knows GTSAM's conventions."""

from __future__ import annotations

import gtsam
import numpy as np

from dens3r_ros.mapping.graph.graph import Edge, GraphChanges, scale_of

_ITERATIONS = 20
_LOOP_KERNEL = 2.0
"""Standard deviations from which on a loop counts less."""
_FIXED = 1e-6
"""Standard deviation that holds the first keyframe in place."""


class Solver:
    """Poses of all keyframes from all edges; keeps graph and estimate between solves.

    `metric` solves rigid poses, otherwise similarities.
    """

    def __init__(self, metric: bool) -> None:
        self._metric = metric
        self._graph = gtsam.NonlinearFactorGraph()
        self._values = gtsam.Values()
        self._slots: dict[int, int] = {}
        self._free: list[int] = []

    def add(self, news: GraphChanges) -> None:
        """Forget what is gone; take in new nodes with first guesses, and new and better edges."""
        for number in news.gone_edges:
            slot = self._slots.pop(number)
            self._graph.remove(slot)
            self._free.append(slot)
        for keyframe_id in news.gone:
            self._values.erase(keyframe_id)
        for keyframe_id, S in news.poses.items():
            if self._values.size() == 0:
                self._graph.add(self._prior(keyframe_id, S))
            self._insert(keyframe_id, S)
        for number, edge in news.edges.items():
            self._put(number, self._factor(edge))

    def _put(self, number: int, factor: gtsam.NonlinearFactor) -> None:
        """In the edge's own slot, else in one that is free, else in a new one."""
        if number not in self._slots and not self._free:
            self._slots[number] = self._graph.size()
            self._graph.add(factor)
            return
        if number not in self._slots:
            self._slots[number] = self._free.pop()
        self._graph.replace(self._slots[number], factor)

    def solve(self) -> dict[int, np.ndarray]:
        """Every keyframe's best pose S_map_keyframe (4, 4)."""
        parameters = gtsam.LevenbergMarquardtParams()
        parameters.setMaxIterations(_ITERATIONS)
        parameters.setRelativeErrorTol(1e-5)
        optimiser = gtsam.LevenbergMarquardtOptimizer(self._graph, self._values, parameters)
        self._values = optimiser.optimize()
        if self._metric:
            return {k: self._values.atPose3(k).matrix() for k in self._values.keys()}  # noqa: SIM118
        return {k: to_matrix(self._values.atSimilarity3(k)) for k in self._values.keys()}  # noqa: SIM118

    def _insert(self, keyframe_id: int, S: np.ndarray) -> None:
        self._values.insert(keyframe_id, gtsam.Pose3(S) if self._metric else to_gtsam(S))

    def _prior(self, keyframe_id: int, S: np.ndarray) -> gtsam.NonlinearFactor:
        if self._metric:
            noise = gtsam.noiseModel.Isotropic.Sigma(6, _FIXED)
            return gtsam.PriorFactorPose3(keyframe_id, gtsam.Pose3(S), noise)
        noise = gtsam.noiseModel.Isotropic.Sigma(7, _FIXED)
        return gtsam.PriorFactorSimilarity3(keyframe_id, to_gtsam(S), noise)

    def _factor(self, edge: Edge) -> gtsam.NonlinearFactor:
        if self._metric:
            noise = _noise(edge, [3, 4, 5, 0, 1, 2])
            return gtsam.BetweenFactorPose3(edge.i, edge.j, gtsam.Pose3(edge.S_i_j), noise)
        noise = _noise(edge, [3, 4, 5, 0, 1, 2, 6])
        return gtsam.BetweenFactorSimilarity3(edge.i, edge.j, to_gtsam(edge.S_i_j), noise)


def _noise(edge: Edge, order: list[int]) -> gtsam.noiseModel.Base:
    """The edge's covariance in GTSAM's order of components, robust for loops."""
    gaussian = gtsam.noiseModel.Gaussian.Covariance(edge.covariance[np.ix_(order, order)])
    if not edge.loop:
        return gaussian
    kernel = gtsam.noiseModel.mEstimator.Huber.Create(_LOOP_KERNEL)
    return gtsam.noiseModel.Robust.Create(kernel, gaussian)


def to_gtsam(S: np.ndarray) -> gtsam.Similarity3:
    """GTSAM's similarity acts as s (R p + t), ours as s R p + t."""
    scale = scale_of(S)
    return gtsam.Similarity3(gtsam.Rot3(S[:3, :3] / scale), S[:3, 3] / scale, scale)


def to_matrix(similarity: gtsam.Similarity3) -> np.ndarray:
    """(4, 4) matrix of a GTSAM similarity."""
    scale = similarity.scale()
    S = np.eye(4)
    S[:3, :3] = scale * similarity.rotation().matrix()
    S[:3, 3] = scale * similarity.translation()
    return S
