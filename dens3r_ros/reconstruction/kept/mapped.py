# SPDX-License-Identifier: Apache-2.0
"""What mapping leaves of a run of images, before anything is bettered or written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.files.map_file import SavedMap
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.update import TimedPose


@dataclass
class RunTally:
    """What came in and what became of it; whole numbers and seconds add up over runs that go on.

    dropped: images that were not read, by reason; lost: frames that found no place, by reason.
    """

    taken: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str) -> None:
        """Count an image that was not read."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def lose(self, reason: str) -> None:
        """Count a frame that found no place."""
        self.lost[reason] = self.lost.get(reason, 0) + 1

    def spend(self, what: str, seconds: float) -> None:
        """Add to the time that something took."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map at the end of its images.

    intrinsics: of the whole image, by camera; estimated: cameras whose lens was not given.
    """

    saved: SavedMap
    intrinsics: dict[str, Intrinsics]
    estimated: frozenset[str]
    tally: RunTally

    @property
    def poses(self) -> dict[int, np.ndarray]:
        """S_map_keyframe (4, 4) by keyframe."""
        return self.saved.poses

    @property
    def records(self) -> list[Record]:
        """Every frame that has a place, in the order in which it found it."""
        return list(self.saved.records)

    def trajectory(self) -> list[TimedPose]:
        """Every frame's pose, in the order of their stamps."""
        placed = [record.placed(self.poses[record.keyframe_id]) for record in self.saved.records]
        return sorted(placed, key=lambda pose: pose.stamp)
