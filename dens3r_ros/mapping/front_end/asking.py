# SPDX-License-Identifier: Apache-2.0
"""What is asked for along with a frame that is decoded."""

from __future__ import annotations

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.decoder import Beside
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.history.record import Record


def beside_of(course: Course, frame: Frame, found: Placed, record: Record) -> Beside | None:
    """The frame that shows the depth of one which sees little of its keyframe."""
    known = course.beside(frame, found)
    if known is None:
        return None
    other, T = known
    there = Record.of(other, record.keyframe_id, T, record.epoch)
    return Beside(other, there, found.covariance)
