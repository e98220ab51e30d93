# SPDX-License-Identifier: Apache-2.0
"""Whether a frame is worth decoding: by what its place is known, and by what it would tell."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.config import KeyframeConfig
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.tracking.agreement import swing

_RESERVE = 0.2
"""Share of the keyframe's landmarks above the least for tracking, below which it is time."""
_MATURE = 12
"""Predictions from which on a keyframe gains little by further ones."""
_STEP = 0.01
"""Radians by which the view has swung since the last decoding for another one to tell more of an
immature keyframe."""
_FAR = 0.04
"""The same of a mature one."""
_UNSURE = 0.01
"""Standard deviation of the place as a share of the depth, or radians, from which on the images
alone are too little."""
_WELL = 0.25
"""Share of the keyframe's landmarks with which a frame is placed well."""
_LEFT = 0.4
"""Share of the keyframe's landmarks below which places become vague, for what is left of them lies
to one side."""
_GONE = 0.05
"""Share of the keyframe's landmarks at which tracking ends."""
_SUPPORT = 60
"""Points of any kind that place a frame well enough to go on without its keyframe."""
_INSISTENT = 3
"""Frames in a row without a place that are waited for."""
_PATIENCE = 2.0
"""Frames that may pass while one is waited for."""
_HURRY = 1.6
"""Frames that come until a decoding is taken over from which on it may be worth a hurry."""
_LATE = 4.0
"""The same from which on it always is."""
_MARGIN = 2.0
"""By how much quicker a keyframe may fade than it does now."""
_LONGEST = 30
"""Frames after which one is decoded whatever it would tell."""


def well_placed(found: Placed | str) -> bool:
    """Whether a frame could be a keyframe where the next ones lead nowhere."""
    return isinstance(found, Placed) and not found.bridged and found.matched > _WELL


def leaving(found: Placed | str) -> bool:
    """Whether a frame that is decoded should be a keyframe, since so little of the one it was
    placed by is left that those after it would be placed badly."""
    return isinstance(found, Placed) and found.matched < _LEFT


def vanishing(course: Course, found: Placed | str, lag: float) -> bool:
    """Whether a frame is worth waiting for its decoding: by the time that another one brings
    something, `lag` frames later, nothing known would be in view any more. Where that takes long,
    the frames that come meanwhile are worth more."""
    if lag > _PATIENCE:
        return False
    if isinstance(found, str):
        return 0 < course.lost <= _INSISTENT
    fading = max(course.faded, 0.0)
    gone = found.matched - lag * fading < _GONE and len(found.found) < _SUPPORT
    return found.bridged == 1 or gone


def beginning(course: Course, lag: float) -> bool:
    """Whether a frame is worth waiting for since a map may begin with it. Where that takes long,
    the frames that come meanwhile lead from there to where the camera is by then."""
    return course.owner and course.first is not None and lag <= _PATIENCE


def hurry(course: Course, found: Placed | str, lag: float) -> bool:
    """Whether a frame is worth decoding roughly: exactly takes so long that places become vague
    meanwhile, or none is known at all."""
    if lag < _HURRY:
        return False
    if isinstance(found, str) or lag > _LATE:
        return True
    return found.matched - _MARGIN * lag * max(course.faded, 0.0) < _LEFT


def worth_decoding(
    placed: Placed, reference: Reference, since: int, limits: KeyframeConfig
) -> bool:
    """Whether a frame that was placed, `since` frames after the last decoded one, should be
    decoded."""
    T = placed.T_keyframe_frame
    depth = reference.landmarks.depth
    turned = np.rad2deg(turn(T[:3, :3]))
    doubt = np.sqrt(np.diag(placed.covariance))
    moved = swing(np.linalg.inv(T), np.linalg.inv(reference.T_keyframe_frame), depth)
    return bool(
        placed.matched < limits.min_matched + _RESERVE
        or turned > 0.7 * limits.max_rotation_deg
        or max(doubt[:3].max() / depth, doubt[3:].max()) > _UNSURE
        or moved > (_STEP if reference.folds < _MATURE else _FAR)
        or since >= _LONGEST
    )
