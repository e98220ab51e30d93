# SPDX-License-Identifier: Apache-2.0
"""Everything that is written of a scene, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dens3r_ros.reconstruction.outputs.cloud import write_cloud
from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.reconstruction.outputs.trajectories import write_intrinsics, write_tum
from dens3r_ros.reconstruction.pipeline.mapped import Mapped
from dens3r_ros.reconstruction.pipeline.options import Options

Following = Callable[[str, float | None], AbstractContextManager[Any]]


@dataclass
class Written:
    """Files and folders that were written, and how much is in each."""

    files: dict[str, str] = field(default_factory=dict)


class _Writer:
    def __init__(self, mapped: Mapped, following: Following) -> None:
        self._mapped, self._following = mapped, following
        self.written = Written()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int, int], None]]:
        """Progress and time of one file."""
        began = time.monotonic()
        with self._following(name, float(total)) as tell:
            yield lambda done, whole: tell(done, whole, "")
        self._mapped.tally.spend("writing", time.monotonic() - began)


def write_outputs(
    scene: Scene,
    mapped: Mapped,
    options: Options,
    following: Following,
    settings: dict[str, Any],
) -> Written:
    """Write all that is wanted into the folder of results."""
    writer, out = _Writer(mapped, following), options.out
    files = writer.written.files
    count = write_tum(out / "trajectory.tum", ((p.stamp, p.T_map_camera) for p in scene.trajectory))
    files["trajectory.tum"] = f"{count} poses"
    count = write_tum(out / "keyframes.tum", ((k.stamp, k.T_world_camera) for k in scene.keyframes))
    files["keyframes.tum"] = f"{count} poses"
    write_intrinsics(out / "intrinsics.json", mapped.intrinsics, mapped.estimated, scene.unit)
    files["intrinsics.json"] = f"{len(mapped.intrinsics)} cameras"
    with writer.stage("cloud.ply", len(scene.keyframes)) as progress:
        points = write_cloud(out / "cloud.ply", scene, options.asked.cloud_voxel, progress)
    files["cloud.ply"] = f"{points} points"
    files["scene.map"] = f"{len(scene.keyframes)} keyframes"
    return writer.written
