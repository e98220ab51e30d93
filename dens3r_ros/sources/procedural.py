# SPDX-License-Identifier: Apache-2.0
"""Camera walks through procedural worlds, as a source with exact truth."""

from __future__ import annotations

from collections import OrderedDict
from urllib.parse import parse_qsl

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.imu import ImuRecording
from dens3r_ros.scenes.inertial import carried_imu
from dens3r_ros.scenes.walk import WALKS, WalkFrame, open_walk
from dens3r_ros.scenes.worlds.building import Building
from dens3r_ros.sources.source import SourceError, Truth

PREFIX = "procedural:"
_SECOND_NS = 1_000_000_000
_KEPT = 4
_IN_HALL = ("walk", "stop-and-go", "fast-turn")
_USAGE = (
    f"Expected {PREFIX}KIND with KIND one of {', '.join(WALKS)}, and optionally "
    "?seed=S&frames=N&size=WxH&fov=DEGREES&imu=1&movers=0, as in "
    "procedural:loop?seed=3&frames=2000&size=320x240."
)


class ProceduralWalk:
    """The walk that a text such as "procedural:loop?seed=3&frames=2000&size=320x240" names.

    Frames are rendered when they are asked for, from stamp 0 at the walk's rate, with intrinsics.
    `imu` is what a sensor beside the camera reads, with imu=1; else None. `hall` is what stands
    where a walk leads through the hall alone; else None. With movers=0 nobody is in it; screens
    change all the same.
    """

    def __init__(self, text: str) -> None:
        self.name = text
        try:
            kind, options = _parsed(text)
            inertial = bool(options.pop("imu", 0))
            options["movers"] = bool(options.pop("movers", 1))
            self.walk = open_walk(kind, **options)  # type: ignore[arg-type]
        except ValueError as error:
            raise SourceError(f"{text}: {error}. {_USAGE}") from error
        self.imu: ImuRecording | None = carried_imu(self.walk) if inertial else None
        self.hall: Building | None = self.walk.building if kind in _IN_HALL else None
        self._recent: OrderedDict[int, WalkFrame] = OrderedDict()

    def __len__(self) -> int:
        return len(self.walk)

    def __getitem__(self, index: int) -> Frame:
        """The frame at `index`."""
        return Frame(
            self._rendered(index).image,
            stamp=range(len(self))[index] * int(_SECOND_NS / self.walk.rate),
            intrinsics=self.walk.intrinsics,
        )

    def truth(self, index: int) -> Truth:
        """Exact depth (NaN for sky), pose, normals and what moves of the frame at `index`."""
        frame = self._rendered(index)
        depth = np.where(frame.depth > 0.0, frame.depth, np.float32(np.nan))
        seen = frame.motion
        return Truth(depth, frame.T_world_camera, frame.normals, seen.moving, seen.velocity)

    def flow(self, index: int, other: int) -> np.ndarray:
        """(H, W, 2) float64 pixels from where the frame at `index` shows a surface to where that is
        in the one at `other`, hidden or not; NaN where there is none."""
        index, other = (range(len(self))[i] for i in (index, other))
        return self.walk.flow(self._rendered(index), index, other)

    def _rendered(self, index: int) -> WalkFrame:
        index = range(len(self))[index]
        if index not in self._recent:
            self._recent[index] = self.walk.render(index)
            if len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return self._recent[index]


def _parsed(text: str) -> tuple[str, dict[str, float]]:
    kind, _, query = text.removeprefix(PREFIX).partition("?")
    options: dict[str, float] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)):
        if key in ("seed", "frames", "imu", "movers"):
            options[key] = int(value)
        elif key == "size":
            width, separator, height = value.partition("x")
            if not separator:
                raise ValueError(f"size={value} is not WIDTHxHEIGHT")
            options["width"], options["height"] = int(width), int(height)
        elif key == "fov":
            options["field_of_view"] = float(value)
        else:
            raise ValueError(f"there is no option {key!r}")
    return kind, options
