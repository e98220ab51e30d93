# SPDX-License-Identifier: Apache-2.0
"""Where a run stands, on disk, so that one that was killed goes on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.files.map_file import write_map
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.reconstruction.kept.mapped import RunTally
from dens3r_ros.reconstruction.pipeline.mapping_run import MappingRun

_EVERY_S = 20.0
_SHARE = 20.0
"""Times as long as it takes to write, that the next one waits at least."""


class CannotResume(ValueError):
    """There is nothing to go on with, or it was begun otherwise; the message says which."""


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: the input that is read and the next image of it; `asked` says what was
    asked for, which must be the same when it goes on."""

    asked: dict[str, Any]
    part: int = 0
    next_index: int = 0
    origin: int | None = None
    offset: int = 0
    last_stamp: int = 0
    tally: RunTally = field(default_factory=RunTally)


class Checkpoints:
    """Writes where a run stands now and then, and reads it back."""

    def __init__(self, folder: Path) -> None:
        self._map, self._progress = folder / "so_far.map", folder / "progress.json"
        self._due = time.monotonic() + _EVERY_S

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() >= self._due

    def write(self, run: MappingRun, progress: RunProgress) -> None:
        """Write map, keyframes, tracks, and how far they reach."""
        began = time.monotonic()
        snapshot = run.mapper.snapshot()
        if snapshot.poses:
            run.write_keyframes()
            write_map(self._map, snapshot)
            told = asdict(progress) | {
                "intrinsics": {name: asdict(lens) for name, lens in run.intrinsics.items()},
                "estimated": sorted(run.estimated),
            }
            part = self._progress.with_suffix(".part")
            part.write_text(json.dumps(told, indent=1))
            part.replace(self._progress)
        took = time.monotonic() - began
        self._due = time.monotonic() + max(_EVERY_S, _SHARE * took)

    def resume(self, run: MappingRun, asked: dict[str, Any]) -> RunProgress:
        """Let `run` go on from here; CannotResume where there is nothing, or something else."""
        if not self._progress.is_file():
            return RunProgress(asked)
        told = json.loads(self._progress.read_text())
        if told["asked"] != asked:
            changed = [k for k in asked if told["asked"].get(k) != asked[k]]
            raise CannotResume(
                f"{self._progress.parent} was begun with another {' and '.join(changed)}: give the "
                "same, or begin anew without --resume"
            )
        lenses = {name: Intrinsics(**lens) for name, lens in told.pop("intrinsics").items()}
        run.go_on(read_map(self._map), lenses, set(told.pop("estimated")))
        tally = RunTally(**told.pop("tally"))
        run.tally = tally
        return RunProgress(**told, tally=tally)

    def clear(self) -> None:
        """Forget what was written."""
        for path in (self._map, self._progress):
            path.unlink(missing_ok=True)
