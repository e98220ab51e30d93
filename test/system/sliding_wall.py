# SPDX-License-Identifier: Apache-2.0
"""An engine without metres, for a camera that slides along a wall as fast as `SPEED` says."""

from __future__ import annotations

from dens3r_ros.evaluation.oracle.wall_engine import WallEngine

SPEED = 1.0
"""Metres a second, to the right of the image."""
BASELINE = 0.2
"""Metres from the left to the right camera."""
UNIT = 0.4
"""Metres of the engine's length unit."""


def metres(stamp: int) -> float:
    """How far the camera is at a stamp in nanoseconds."""
    return stamp * 1e-9 * SPEED


def engine() -> WallEngine:
    """One camera, lengths in a unit of the engine's own."""
    return WallEngine(lambda frame: metres(frame.stamp), UNIT)


def stereo() -> WallEngine:
    """Two cameras that do not know of each other; lengths in metres."""
    return WallEngine(lambda frame: metres(frame.stamp) + BASELINE * (frame.camera == "right"))
