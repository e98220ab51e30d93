# SPDX-License-Identifier: Apache-2.0
"""Where several keyframes place one image: those that agree together, or why that tells nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.graph.graph import PoseGraph, rigid, scale_of
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.track import Track

_NEAR, _TURNED = 0.1, 0.1
"""Share of the scene's depth, and radians, within which two keyframes say the same; as both
directions of a loop must."""
_GUESS = 0.25
"""Relative error of a focal length that is guessed, and so of distances."""


@dataclass(frozen=True, eq=False)
class Opinion:
    """An image's place by one keyframe.

    T_map_camera (4, 4) rigid, in the map's unit; covariance (6, 6) of a small motion of the camera
    in its own optical frame, translation (the map's unit) first, the keyframe's pose taken for
    true; piece: of the map; depth: median of the keyframe's, in the map's unit; checked: whether
    more than a single measurement says where the keyframe itself stands.
    """

    keyframe_id: int
    piece: int
    T_map_camera: np.ndarray
    covariance: np.ndarray
    matched: float
    inliers: float
    depth: float
    checked: bool = True

    @staticmethod
    def of(keyframe: Keyframe, found: Track, graph: PoseGraph, lens: str) -> Opinion:
        """What a track against a keyframe says of the map; a lens that is guessed makes it as
        unsure of the distance as focal lengths differ."""
        S_map_keyframe, piece = graph.poses[keyframe.id], graph.pieces[keyframe.id]
        checked = piece == keyframe.id or len(graph.edges_of(keyframe.id)) > 1
        scale = scale_of(S_map_keyframe)
        depth = scale * keyframe.canonical.median_depth
        doubt = (_GUESS if lens == "guessed" else 0.0) * depth
        grow = np.diag([scale] * 3 + [1.0] * 3)
        return Opinion(
            keyframe.id,
            piece,
            rigid(S_map_keyframe @ found.T_keyframe_frame),
            grow @ found.covariance @ grow + np.diag([doubt**2] * 3 + [0.0] * 3),
            found.matched,
            found.inliers,
            depth,
            checked,
        )

    @property
    def doubt(self) -> float:
        """How unsure it is, in one number without a unit."""
        spread = np.diag(self.covariance)
        return float(spread[:3].sum() / self.depth**2 + spread[3:].sum())

    def agrees(self, other: Opinion) -> bool:
        """Whether another one says the same."""
        off = np.linalg.inv(self.T_map_camera) @ other.T_map_camera
        near = np.linalg.norm(off[:3, 3]) < _NEAR * max(self.depth, other.depth)
        return self.piece == other.piece and bool(near and turn(off[:3, :3]) < _TURNED)


@dataclass(frozen=True, eq=False)
class Located:
    """Where an image was taken.

    T_map_camera (4, 4), in the map's unit, optical frame; covariance (6, 6) as ROS has it: small
    motion along (the map's unit) and about (radians) the axes of the map; keyframes: that agree on
    it, surest first; matched: largest share of one of them that the image shows; inliers: share of
    these matches that fit the pose; piece: of the map, named by its first keyframe; lens: "given",
    "map" where it was taken for the map's, or "guessed".
    """

    T_map_camera: np.ndarray
    covariance: np.ndarray
    keyframes: tuple[int, ...]
    piece: int
    matched: float
    inliers: float
    lens: str

    @property
    def sigma(self) -> tuple[float, float]:
        """Standard deviation of the position (the map's unit) and of the direction (radians)."""
        spread = np.diag(self.covariance)
        return float(np.sqrt(spread[:3].sum())), float(np.sqrt(spread[3:].sum()))


def agreeing(opinions: Sequence[Opinion]) -> list[list[Opinion]]:
    """For each one all that say the same, itself included, surest first; the largest group first,
    of equally many that of the surest."""
    surest = sorted(opinions, key=lambda one: one.doubt)
    groups = [[one, *(o for o in surest if o is not one and one.agrees(o))] for one in surest]
    return sorted(groups, key=len, reverse=True)


def joined(opinions: Sequence[Opinion], lens: str) -> Located | str:
    """The place on which most agree; a reason where as many say something else of the same piece
    of the map, and where one keyframe alone shows the image whose own place nothing confirms: the
    error of the single measurement that ties it to the map would be the image's."""
    group, *others = agreeing(opinions)
    first = group[0]
    for other in others:
        rival = other[0].piece == first.piece and not first.agrees(other[0])
        if rival and len(other) == len(group):
            apart = np.linalg.norm(first.T_map_camera[:3, 3] - other[0].T_map_camera[:3, 3])
            return (
                f"keyframes {first.keyframe_id} and {other[0].keyframe_id} look like it, but place"
                f" it {apart:.3g} apart"
            )
    if len(group) == 1 and not first.checked:
        return (
            f"only keyframe {first.keyframe_id} shows it, and a single measurement says where that"
            " stands in the map"
        )
    T, covariance = _mean(group)
    turned = np.kron(np.eye(2), T[:3, :3])
    best = max(group, key=lambda one: one.matched)
    return Located(
        T,
        turned @ covariance @ turned.T,
        tuple(one.keyframe_id for one in group),
        first.piece,
        best.matched,
        best.inliers,
        lens,
    )


def _mean(group: Sequence[Opinion]) -> tuple[np.ndarray, np.ndarray]:
    """T_map_camera and covariance of all, each as its own covariance weighs it; as sure as one of
    them is, since keyframes beside each other share the map's errors."""
    T = group[0].T_map_camera
    weights = [np.linalg.inv(one.covariance) for one in group]
    off = [tangents.log(np.linalg.inv(T) @ one.T_map_camera)[:6] for one in group]
    together = np.linalg.inv(np.sum(weights, 0))
    shift = together @ np.sum([w @ x for w, x in zip(weights, off, strict=True)], 0)
    return T @ tangents.exp(shift), len(group) * together
