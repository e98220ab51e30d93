# SPDX-License-Identifier: Apache-2.0
"""Saves and loads maps beside the worker, which stops only to hand over or take in a whole map."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.mapping.files.map_file import LoadedMap, SavedMap, write_map
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.files.map_target import check_not_emptied, replaceable
from dens3r_ros.nodes.answers.map_paths import make_room, map_path
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.settings.config import MapParameters
from dens3r_ros.nodes.worker import Job, Worker


@dataclass(frozen=True)
class StoredMapFile:
    """What a file holds after it was written, or what was taken in from it."""

    path: Path
    keyframes: int
    bytes: int
    epoch: int
    """That of the next image."""


class MapStore:
    """One file after the other, on a thread that may have to wait for a disk.

    `snapshot` and `adopt` run on `worker`; `adopt` gives the number of keyframes and the epoch.
    """

    def __init__(
        self,
        config: MapParameters,
        worker: Worker,
        snapshot: Callable[[], SavedMap],
        adopt: Callable[[LoadedMap], tuple[int, int]],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._config = config
        self._worker, self._snapshot, self._adopt = worker, snapshot, adopt
        mailbox: Mailbox[Job] = Mailbox(1, False)
        self._files = Worker(mailbox, on_fault, "dens3r-files")

    def save(self, name: str) -> Future[StoredMapFile]:
        """Write the map as it stands when its turn comes."""
        return self._files.call(lambda: self._save(name))

    def load(self, name: str) -> Future[StoredMapFile]:
        """Replace the map."""
        return self._files.call(lambda: self._load(name))

    def close(self, timeout_s: float) -> None:
        """Give up what waits; a file that is being written is left to its thread."""
        self._files.stop(timeout_s)

    def _save(self, name: str) -> StoredMapFile:
        path = map_path(name, self._config)
        make_room(path, self._config)
        there = replaceable(path)
        snapshot = self._worker.call(self._snapshot).result()
        check_not_emptied(path, there, snapshot)
        return StoredMapFile(path, write_map(path, snapshot), path.stat().st_size, 0)

    def _load(self, name: str) -> StoredMapFile:
        path = map_path(name, self._config)
        loaded = read_map(path)
        size = path.stat().st_size
        keyframes, epoch = self._worker.call(lambda: self._adopt(loaded)).result()
        return StoredMapFile(path, keyframes, size, epoch)
