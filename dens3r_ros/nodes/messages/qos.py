# SPDX-License-Identifier: Apache-2.0
"""The few quality-of-service profiles that the node uses, by what they carry."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

_RELIABILITY = {
    "sensor_data": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
    "best_available": ReliabilityPolicy.BEST_AVAILABLE,
}


def _profile(
    depth: int,
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


def images_in(kind: str, depth: int) -> QoSProfile:
    """Of image subscriptions; best effort hears every publisher, but loses most large images."""
    return _profile(depth, _RELIABILITY[kind])


IMU = _profile(2000, ReliabilityPolicy.BEST_EFFORT)
"""Deep enough for readings that come bundled and late."""
ODOMETRY_IN = _profile(50, ReliabilityPolicy.BEST_EFFORT)
CALIBRATION_IN = _profile(10, ReliabilityPolicy.BEST_EFFORT)
CALIBRATION_LATCHED_IN = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""For cameras that publish it once: it hears what was said before, and nobody but them."""
MAPS_OUT = _profile(5)
"""Deep enough that a reliable listener who falls behind for a moment misses nothing."""
POSES_OUT = _profile(10)
LATCHED = _profile(1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GRID_UPDATES = _profile(10)
"""As Nav2 and RViz listen to changes of a grid."""
TRANSFORMS_OUT = _profile(100)
"""As tf2 listens."""
TRANSFORMS_IN = _profile(100)
TRANSFORMS_LATCHED = _profile(100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
