# SPDX-License-Identifier: Apache-2.0
"""The factor graph itself, in GTSAM; the only place that knows GTSAM's conventions."""

from __future__ import annotations

import gtsam
import numpy as np

from dens3r_ros.mapping.graph.graph import Edge, GraphChanges, ScalePrior, scale_of

_ITERATIONS = 20
_LOOP_KERNEL = 2.0
"""Standard deviations from which on a loop counts less."""
_FIXED = 1e-6
"""Standard deviation that holds the first keyframe in place."""
_OPEN = 1e4
"""The same of what a prior says nothing of."""


_Name = int | tuple[int] | tuple[int, int]


class Solver:
    """Poses of all keyframes from all edges; keeps graph and estimate between solves.

    `metric` solves rigid poses, otherwise similarities, whose scale is that of a piece's first
    keyframe's unit, or, where keyframes bring scale priors, what all of these agree on best.
    """

    def __init__(self, metric: bool) -> None:
        self._metric = metric
        self._graph = gtsam.NonlinearFactorGraph()
        self._values = gtsam.Values()
        self._slots: dict[_Name, int] = {}
        """Where every edge's factor lies, by its number, every scale prior's, by (node,), and what
        holds a piece in place, by (node, 0)."""
        self._anchors: frozenset[int] = frozenset()
        self._rescaled = False
        self._free: list[int] = []

    def add(self, news: GraphChanges) -> None:
        """Forget what is gone; take in new nodes with first guesses, and new and better edges."""
        for number in news.gone_edges:
            self._let_go(number)
        for keyframe_id in news.gone:
            if (keyframe_id,) in self._slots:
                self._let_go((keyframe_id,))
            self._values.erase(keyframe_id)
        for keyframe_id, S in news.poses.items():
            self._values.insert(keyframe_id, self._value(S))
        for keyframe_id in set(news.moved).difference(news.poses):
            self._values.update(keyframe_id, self._value(news.moved[keyframe_id]))
        self._rescale(bool(news.priors))
        if news.anchors is not None or not self._anchors:
            self._hold(frozenset(news.anchors or list(news.poses)[:1]))
        for number, edge in news.edges.items():
            self._put(number, self._factor(edge))
        for keyframe_id, prior in ({} if self._metric else news.priors).items():
            self._put((keyframe_id,), self._scale_prior(keyframe_id, prior))

    def _rescale(self, told: bool) -> None:
        """From the first scale prior on, what holds pieces in place leaves their scale open."""
        if told and not self._rescaled:
            self._rescaled = True
            held, self._anchors = self._anchors, frozenset()
            self._hold(held)

    def _hold(self, anchors: frozenset[int]) -> None:
        """Let these nodes hold their pieces in place, where they are now, and no others."""
        for keyframe_id in sorted(self._anchors - anchors):
            self._let_go((keyframe_id, 0))
        for keyframe_id in sorted(anchors - self._anchors):
            self._put((keyframe_id, 0), self._prior(keyframe_id))
        self._anchors = anchors

    def _let_go(self, name: _Name) -> None:
        slot = self._slots.pop(name)
        self._graph.remove(slot)
        self._free.append(slot)

    def _put(self, number: _Name, factor: gtsam.NonlinearFactor) -> None:
        """In its own slot, else in one that is free, else in a new one."""
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

    def _value(self, S: np.ndarray) -> gtsam.Pose3 | gtsam.Similarity3:
        return gtsam.Pose3(S) if self._metric else to_gtsam(S)

    def _prior(self, keyframe_id: int) -> gtsam.NonlinearFactor:
        """What holds a piece's first keyframe in place, but for its scale where others tell
        that."""
        if self._metric:
            fixed = gtsam.noiseModel.Isotropic.Sigma(6, _FIXED)
            return gtsam.PriorFactorPose3(keyframe_id, self._values.atPose3(keyframe_id), fixed)
        sigmas = np.array([_FIXED] * 6 + [_OPEN if self._rescaled else _FIXED])
        noise = gtsam.noiseModel.Diagonal.Sigmas(sigmas)
        believed = self._values.atSimilarity3(keyframe_id)
        return gtsam.PriorFactorSimilarity3(keyframe_id, believed, noise)

    def _scale_prior(self, keyframe_id: int, prior: ScalePrior) -> gtsam.NonlinearFactor:
        """The scale is a component by itself of a similarity's logarithm; the rest is left open."""
        believed = self._values.atSimilarity3(keyframe_id)
        S = gtsam.Similarity3(believed.rotation(), believed.translation(), prior.scale)
        noise = gtsam.noiseModel.Diagonal.Sigmas(np.array([_OPEN] * 6 + [prior.sigma]))
        return gtsam.PriorFactorSimilarity3(keyframe_id, S, noise)

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
