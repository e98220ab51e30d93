# SPDX-License-Identifier: Apache-2.0
"""How a camera is believed to have turned since its last frame, where a gyroscope felt it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.graph.felt import FeltWay
from dens3r_ros.mapping.step import Step


class Gyroscope(Protocol):
    """Tells how the camera that owns `odom` turned."""

    def turn(self, begin: int, end: int) -> np.ndarray | None:
        """(3, 3) R_begin_end between two stamps in nanoseconds; None where that is not known."""
        ...


@runtime_checkable
class FeelsMetres(Protocol):
    """A gyroscope's sensor that also tells of keyframes' places and units."""

    steers: bool
    """Whether the map's unit follows what is told."""

    def see(self, frame: Frame) -> None:
        """Look at an image that the mapper is about to take in."""
        ...

    @property
    def felt(self) -> FeltWay | None:
        """What is known so far; whoever has it may keep it."""
        ...


def felt_by(gyroscope: Gyroscope | None) -> FeltWay | None:
    """What a sensor tells of keyframes; nothing where it is a mere gyroscope."""
    return gyroscope.felt if isinstance(gyroscope, FeelsMetres) else None


def turned_on(
    gyroscope: Gyroscope | None, T_keyframe_before: np.ndarray, before: int | None, stamp: int
) -> np.ndarray | None:
    """T_keyframe_frame (4, 4) of a frame that has turned as was felt since the one before, and has
    not moved; None where nothing was felt."""
    if gyroscope is None or before is None or stamp <= before:
        return None
    R = gyroscope.turn(before, stamp)
    if R is None:
        return None
    T = T_keyframe_before.copy()
    T[:3, :3] = T[:3, :3] @ R
    return T


def start_of(step: Step, last: Step | None, gyroscope: Gyroscope | None) -> np.ndarray | None:
    """T_keyframe_frame from which a frame is looked for; None where the camera was lost."""
    if step.foreseen is not None:
        return step.foreseen
    if step.stream.lost:
        return None
    T = step.stream.T_keyframe_frame
    if step.held or last is None or not step.owner:
        return T
    turned = turned_on(gyroscope, T, last.frame.stamp, step.frame.stamp)
    return T if turned is None else turned
