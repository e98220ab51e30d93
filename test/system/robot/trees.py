# SPDX-License-Identifier: Apache-2.0
"""TF as a listener sees it: through tf2 where it is installed, else by the messages themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from peer import stamp_of
from rclpy.time import Time

from dens3r_ros.nodes.messages.poses import matrix_from_seven


class Tree:
    """Transforms that were heard; a later word for the same moment replaces an earlier one."""

    def __init__(self, transforms: Iterable[TransformStamped]) -> None:
        self._heard = list(transforms)
        self._at: dict[tuple[str, str], dict[int, np.ndarray]] = defaultdict(dict)
        for t in self._heard:
            self._at[t.header.frame_id, t.child_frame_id][stamp_of(t)] = _matrix(t.transform)

    def at(self, top: str, frame: str, stamp: int) -> np.ndarray:
        """T_top_frame at a stamp; an error where a listener would get one."""
        try:
            from tf2_ros import Buffer
        except ModuleNotFoundError:
            return self._by_messages(top, frame, stamp)
        buffer = Buffer()
        for transform in self._heard:
            buffer.set_transform(transform, "heard")
        return _matrix(buffer.lookup_transform(top, frame, Time(nanoseconds=stamp)).transform)

    def stamps(self) -> dict[tuple[str, str], list[int]]:
        """By (parent, child), the stamps of all that was said."""
        return {pair: sorted(said) for pair, said in self._at.items()}

    def _by_messages(self, top: str, frame: str, stamp: int) -> np.ndarray:
        T = np.eye(4)
        while frame != top:
            (pair,) = [pair for pair in self._at if pair[1] == frame]
            T, frame = self._at[pair][stamp] @ T, pair[0]
        return T


def parents(messages: Iterable[Any]) -> dict[str, str]:
    """Child to parent of all that was said."""
    return {t.child_frame_id: t.header.frame_id for m in messages for t in m.transforms}


def _matrix(transform: Any) -> np.ndarray:
    t, q = transform.translation, transform.rotation
    return matrix_from_seven((t.x, t.y, t.z, q.x, q.y, q.z, q.w))
