# SPDX-License-Identifier: Apache-2.0
"""The smooth frame `odom`, the corrected frame `map`, and the epoch that joins them."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.tracking.camera_pace import MotionPace

APART = "the camera is in another piece of the map, which nothing ties to the last one yet"
"""Why an epoch begins with another piece."""
_RESCALE = 0.05
"""Change of the current keyframe's scale by one solve beyond which a new epoch begins."""


class Odometry:
    """Integrates motion; within an epoch no solve changes its length unit by more than 5%.

    The camera goes on from where it was last by what was seen of its motion, or by what is expected
    of it where none was seen; wherever the map puts it, the difference moves `odom` in `map`. Every
    pose is (4, 4) rigid; `S_map_keyframe` are similarities from the graph.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.why_epoch = ""
        """Why the present epoch began, if it did here."""
        self.keyframe_id: int | None = None
        self.T_map_odom = np.eye(4)
        self.measured = True
        """Whether the latest motion was seen, and whole, rather than expected or cut to what can
        be."""
        self._T_odom_keyframe = np.eye(4)
        self._unit = 1.0
        self._pace = MotionPace()
        self._last: tuple[int, np.ndarray] | None = None
        """Stamp and T_odom_camera of the frame placed last."""

    @property
    def unit(self) -> float:
        """Length of the current keyframe's unit in `odom`."""
        return self._unit

    def scale(self, S_map_keyframe: np.ndarray) -> float:
        """Length of one unit of `map` in units of `odom`, at the current keyframe."""
        return self._unit / scale_of(S_map_keyframe)

    def begin(self, keyframe_id: int, S_map_keyframe: np.ndarray) -> None:
        """Start on a keyframe, `odom` lying in `map`; the first of a map, or of one that was
        loaded."""
        self.keyframe_id = keyframe_id
        self._unit = scale_of(S_map_keyframe)
        self._T_odom_keyframe = rigid(S_map_keyframe)
        self.T_map_odom = np.eye(4)

    def camera(self, T_keyframe_frame: np.ndarray) -> np.ndarray:
        """T_odom_camera of a frame placed against the current keyframe."""
        return self._T_odom_keyframe @ _in_unit(T_keyframe_frame, self._unit)

    def follow(self, stamp: int, T_keyframe_frame: np.ndarray, depth: float) -> None:
        """The next frame was placed against the current keyframe, whose points are about `depth`
        (in its unit) away; the stamp is in nanoseconds."""
        measured = self.camera(T_keyframe_frame)
        if self._last is None:
            self._last = stamp, measured
            return
        before, T_odom_before = self._last
        seconds = (stamp - before) * 1e-9
        seen = np.linalg.inv(T_odom_before) @ measured
        motion, self.measured = self._pace.go_on(seen, seconds, depth * self._unit)
        self._go_on(stamp, motion, T_keyframe_frame)

    def expect(self, stamp: int, T_keyframe_frame: np.ndarray) -> None:
        """The next frame has a place against the current keyframe, but nothing tells its motion."""
        if self._last is None:
            self._last = stamp, self.camera(T_keyframe_frame)
            return
        motion = self._pace.predicted((stamp - self._last[0]) * 1e-9)
        self.measured = False
        self._go_on(stamp, motion, T_keyframe_frame)

    def hand_over(
        self,
        keyframe_id: int,
        S_old_new: np.ndarray,
        T_old_frame: np.ndarray,
        T_new_frame: np.ndarray,
    ) -> None:
        """Go on from another keyframe: the frame stays where it is in `odom`."""
        here = self.camera(T_old_frame)
        self._unit *= scale_of(S_old_new)
        self.keyframe_id = keyframe_id
        self._anchor(here, T_new_frame)

    def resume(self, keyframe_id: int, S_map_keyframe: np.ndarray, S_map_old: np.ndarray) -> None:
        """Go on from a keyframe that the map alone ties to the one before; `expect` is next."""
        self._unit *= scale_of(S_map_keyframe) / scale_of(S_map_old)
        self.keyframe_id = keyframe_id

    def begin_epoch(self, why: str) -> None:
        """What comes does not line up with what came."""
        self.epoch += 1
        self.why_epoch = why

    def correct(self, S_map_keyframe: np.ndarray, T_keyframe_frame: np.ndarray) -> bool:
        """Follow a solve by moving `odom` in `map`; whether the scale jumped, a new epoch.

        Smaller changes of the scale go into the motion from here on: they tell, like the motion
        itself, what has only now been learned of the camera's surroundings.
        """
        here, known = self.camera(T_keyframe_frame), scale_of(S_map_keyframe)
        jumped = bool(abs(np.log(known / self._unit)) > _RESCALE)
        if jumped:
            self.begin_epoch("a solve changed the map's scale at once")
        self._pace.lengthen(known / self._unit)
        self._unit = known
        self._anchor(here, T_keyframe_frame)
        T_map_camera = in_map(S_map_keyframe, T_keyframe_frame)
        self.T_map_odom = T_map_camera @ np.linalg.inv(here)
        return jumped

    def _go_on(self, stamp: int, motion: np.ndarray, T_keyframe_frame: np.ndarray) -> None:
        assert self._last is not None
        here = self._last[1] @ motion
        self._last = stamp, here
        self._anchor(here, T_keyframe_frame)

    def _anchor(self, T_odom_camera: np.ndarray, T_keyframe_frame: np.ndarray) -> None:
        back = np.linalg.inv(_in_unit(T_keyframe_frame, self._unit))
        self._T_odom_keyframe = T_odom_camera @ back


def in_map(S_map_keyframe: np.ndarray, T_keyframe_frame: np.ndarray) -> np.ndarray:
    """T_map_camera of a frame kept relative to its keyframe."""
    return rigid(S_map_keyframe @ T_keyframe_frame)


def _in_unit(T: np.ndarray, unit: float) -> np.ndarray:
    scaled = T.copy()
    scaled[:3, 3] *= unit
    return scaled
