# SPDX-License-Identifier: Apache-2.0
"""The smooth frame `odom`, the corrected frame `map`, and the epoch that joins them."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.graph.graph import rigid, scale_of

_RESCALE = 0.05
"""Change of the current keyframe's scale by one solve beyond which a new epoch begins."""


class Odometry:
    """Integrates motion; within an epoch no solve changes its length unit by more than 5%.

    Every pose is (4, 4) rigid; `S_map_keyframe` are similarities from the graph.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.keyframe_id: int | None = None
        self.T_map_odom = np.eye(4)
        self._T_odom_keyframe = np.eye(4)
        self._unit = 1.0

    @property
    def unit(self) -> float:
        """Length of the current keyframe's unit in `odom`."""
        return self._unit

    def scale(self, S_map_keyframe: np.ndarray) -> float:
        """Length of one unit of `map` in units of `odom`, at the current keyframe."""
        return self._unit / scale_of(S_map_keyframe)

    def begin(self, keyframe_id: int, S_map_keyframe: np.ndarray) -> None:
        """Start on a keyframe, `odom` lying in `map`; after a reset or a loss."""
        self.keyframe_id = keyframe_id
        self._unit = scale_of(S_map_keyframe)
        self._T_odom_keyframe = rigid(S_map_keyframe)
        self.T_map_odom = np.eye(4)

    def camera(self, T_keyframe_frame: np.ndarray) -> np.ndarray:
        """T_odom_camera of a frame placed against the current keyframe."""
        return self._T_odom_keyframe @ _in_unit(T_keyframe_frame, self._unit)

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
        """Go on from a keyframe after a loss: `odom` keeps its place in `map` and its unit."""
        self._unit *= scale_of(S_map_keyframe) / scale_of(S_map_old)
        self.keyframe_id = keyframe_id
        in_odom = np.linalg.inv(self.T_map_odom) @ rigid(S_map_keyframe)
        self._T_odom_keyframe = in_odom

    def correct(self, S_map_keyframe: np.ndarray, T_keyframe_frame: np.ndarray) -> bool:
        """Follow a solve by moving `odom` in `map`; whether the scale jumped, a new epoch.

        Smaller changes of the scale go into the motion from here on: they tell, like the motion
        itself, what has only now been learned of the camera's surroundings.
        """
        here, known = self.camera(T_keyframe_frame), scale_of(S_map_keyframe)
        jumped = bool(abs(np.log(known / self._unit)) > _RESCALE)
        self.epoch += jumped
        self._unit = known
        self._anchor(here, T_keyframe_frame)
        T_map_camera = in_map(S_map_keyframe, T_keyframe_frame)
        self.T_map_odom = T_map_camera @ np.linalg.inv(here)
        return jumped

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
