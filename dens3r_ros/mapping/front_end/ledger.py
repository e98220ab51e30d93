# SPDX-License-Identifier: Apache-2.0
"""Where the frames between decodings were, until the session is told."""

from __future__ import annotations

from collections.abc import Iterable

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.decoder import Earlier
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.need import well_placed
from dens3r_ros.mapping.history.record import Record


class Ledger:
    """Records in the order they came; of each camera the last good one is kept with its image for a
    while, in case the frames after it lead nowhere."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._earlier: dict[str, Earlier] = {}
        self._told = 0

    def __len__(self) -> int:
        """Records of which the counters that came with the last decoding do not know."""
        return self._told + len(self._records) + len(self._earlier)

    def note(self, frame: Frame, found: Placed, record: Record) -> None:
        """A frame that was placed and is not decoded."""
        if not well_placed(found):
            self._records.append(record)
            return
        self._settle(frame.camera)
        self._earlier[frame.camera] = Earlier(frame, record)

    def add(self, record: Record) -> None:
        """A frame that has found its place late."""
        self._records.append(record)

    def add_all(self, records: Iterable[Record]) -> None:
        """Likewise."""
        self._records += records

    def along(self, frame: Frame, found: Placed | str) -> tuple[list[Record], Earlier | None]:
        """What goes along with a frame that is decoded: all records, and the last good frame before
        one that is not well placed."""
        if well_placed(found):
            self._settle(frame.camera)
        earlier = self._earlier.pop(frame.camera, None)
        records = self.all()
        self._told += earlier is not None
        return records, earlier

    def all(self) -> list[Record]:
        """The records to tell now; those of good frames that are kept are not among them."""
        records, self._records = self._records, []
        self._told += len(records)
        return records

    def settle(self) -> None:
        """Keep none aside any more."""
        for camera in list(self._earlier):
            self._settle(camera)

    def confirm(self, told: int) -> None:
        """The counters know of so many more records than before."""
        self._told -= told

    @property
    def told(self) -> int:
        """Records that were told and are not counted yet."""
        return self._told

    def _settle(self, camera: str) -> None:
        earlier = self._earlier.pop(camera, None)
        if earlier is not None:
            self._records.append(earlier.record)
