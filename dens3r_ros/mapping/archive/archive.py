# SPDX-License-Identifier: Apache-2.0
"""Keyframes that left the window: kept small, at most so many, brought back when asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator

import numpy as np
from scipy.spatial import cKDTree

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.mapping.archive.merging import fused
from dens3r_ros.mapping.archive.stored import Stored, StoredView, pack, stored_bytes, unpack
from dens3r_ros.mapping.config import ArchiveConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.places.place import DESCRIPTOR_BYTES
from dens3r_ros.mapping.tracking.keyframe import Keyframe

_SLACK = 0.002
"""Share of the limit that is cleared at a time: so little that no frame waits for it."""
_AWAKE = 4
"""Revived keyframes that are remembered: neighbours ask for the same ones."""
_ANGLE = np.deg2rad(20.0)
"""Turn that separates two views as much as a move by half their distance to the scene does."""
_APART = 1e6
"""How far apart views of two pieces of the map are taken to be, of which nobody knows."""


def archive_bytes(keyframes: int, image: tuple[int, int], maps: tuple[int, int]) -> int:
    """Most bytes that an archive of so many keyframes takes, place descriptors included.

    `image` and `maps` are the (height, width) of the camera's images and of the engine's maps.
    """
    return keyframes * (stored_bytes(image, maps) + DESCRIPTOR_BYTES)


class Archive:
    """The archive of a mapper; see `KeyframeArchive`."""

    def __init__(self, engine: Engine, config: ArchiveConfig | None = None) -> None:
        self._engine = engine
        self._config = config or ArchiveConfig()
        self._stored: dict[int, Stored] = {}
        self._depths: dict[int, float] = {}
        self._awake: OrderedDict[int, Keyframe] = OrderedDict()

    def __contains__(self, keyframe_id: object) -> bool:
        return keyframe_id in self._stored

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._stored))

    def __len__(self) -> int:
        return len(self._stored)

    def add(self, keyframe: Keyframe) -> None:
        """Keep a keyframe that leaves the window; replaces an older state of the same one."""
        self.put(pack(keyframe, self._config.jpeg_quality))

    def put(self, stored: Stored) -> None:
        """Keep what is already small."""
        self._awake.pop(stored.id, None)
        self._stored[stored.id] = stored
        self._depths[stored.id] = _depth(stored)

    def stored(self, keyframe_id: int) -> Stored:
        """What is kept of it."""
        return self._stored[keyframe_id]

    def revive(self, keyframe_id: int) -> Keyframe:
        """The keyframe with its image encoded again and its maps at the engine's size."""
        if keyframe_id not in self._awake:
            self._awake[keyframe_id] = unpack(self._stored[keyframe_id], self._engine)
            if len(self._awake) > _AWAKE:
                self._awake.popitem(last=False)
        self._awake.move_to_end(keyframe_id)
        return self._awake[keyframe_id]

    def shown(self, keyframe_id: int) -> StoredView:
        """What can be shown of it without encoding."""
        return StoredView(self._stored[keyframe_id])

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        del self._stored[keyframe_id], self._depths[keyframe_id]
        self._awake.pop(keyframe_id, None)

    def redundant(self, graph: PoseGraph, kept: Collection[int]) -> list[tuple[int, int]]:
        """Where there are more keyframes than the limit: pairs (leaving, staying) of those that
        see the same, the most alike first; `kept` never leave. Ask again until there are none."""
        limit = self._config.keyframes
        if len(self) <= limit:
            return []
        ids = list(self._stored)
        views = self._views(ids, graph)
        distance, nearest = cKDTree(views).query(views, k=2)
        fixed = {n for n, i in enumerate(ids) if i in kept}
        pairs: dict[int, int] = {}
        for a in np.argsort(distance[:, 1], kind="stable").tolist():
            b = int(nearest[a, 1]) if nearest[a, 1] != a else int(nearest[a, 0])
            enough = len(pairs) == len(self) - limit + int(_SLACK * limit)
            if enough or distance[a, 1] >= _APART:
                break
            if a in pairs or b in pairs:
                continue
            free = [n for n in (a, b) if n not in fixed]
            if free:
                leaving = min(free, key=lambda n: self._sureness(ids[n]))
                pairs[leaving] = a + b - leaving
                fixed.add(a + b - leaving)
        return [(ids[gone], ids[into]) for gone, into in pairs.items()]

    def merge(self, gone: int, into: int, S_into_gone: np.ndarray) -> None:
        """Let one keyframe go; what it saw of the same surfaces, another one takes in."""
        self.put(fused(self._stored[into], self._stored[gone], S_into_gone))
        self.remove(gone)

    def _views(self, ids: Iterable[int], graph: PoseGraph) -> np.ndarray:
        """(N, 7) where each keyframe stands and looks, such that what is near sees the same; what
        is of two pieces of the map is far apart."""
        poses = np.array([graph.poses[i] for i in ids])
        units = np.cbrt(np.linalg.det(poses[:, :3, :3]))
        depth = float(np.median(units * [self._depths[i] for i in ids]))
        looks = poses[:, :3, 2] / (units[:, None] * 2 * np.sin(_ANGLE / 2))
        pieces = np.array([[graph.pieces[i]] for i in ids]) * _APART
        return np.concatenate((poses[:, :3, 3] / (0.5 * depth), looks, pieces), 1)

    def _sureness(self, keyframe_id: int) -> float:
        stored = self._stored[keyframe_id]
        return stored.folds * float(stored.confidence.astype(np.float32).mean() - 1)


def _depth(stored: Stored) -> float:
    known = stored.depth[stored.depth > 0]
    return float(np.median(known)) if known.size else 1.0
