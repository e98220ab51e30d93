# SPDX-License-Identifier: Apache-2.0
"""What is asked for along with a frame that is decoded."""

from __future__ import annotations

from collections.abc import Iterable

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.decoder import Beside, DecodingRequest
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.ledger import Ledger
from dens3r_ros.mapping.front_end.need import leaving
from dens3r_ros.mapping.graph.felt import FeltWay
from dens3r_ros.mapping.history.record import Record


def request_of(
    course: Course,
    frame: Frame,
    found: Placed | str,
    record: Record | None,
    ledger: Ledger,
    courses: Iterable[Course],
    felt: FeltWay | None,
) -> DecodingRequest:
    """All that a decoding of a frame may need, what happened since the last, and what was felt."""
    held = frozenset(c.reference.keyframe_id for c in courses if c.reference is not None)
    records, earlier = ledger.along(frame, found)
    known = frame, record, earlier, records, held, leaving(found)
    if isinstance(found, str):
        return DecodingRequest(*known, first=course.first, felt=felt)
    beside = None if record is None else _beside(course, frame, found, record)
    return DecodingRequest(*known, moving=found.moving, felt=felt, beside=beside)


def _beside(course: Course, frame: Frame, found: Placed, record: Record) -> Beside | None:
    """The frame that shows the depth of one which sees little of its keyframe."""
    known = course.beside(frame, found)
    if known is None:
        return None
    other, T = known
    there = Record.of(other, record.keyframe_id, T, record.epoch)
    return Beside(other, there, found.covariance)
