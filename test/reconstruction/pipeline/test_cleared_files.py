# SPDX-License-Identifier: Apache-2.0
"""If this fails, somebody who left is gone from the map but stands in the model made with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import ArchiveConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, WritingArchive


def test_points_that_are_gone_from_the_archive_are_gone_from_the_files(
    walk: Any, tmp_path: Path
) -> None:
    engine: Engine = OracleEngine(walk, long_side=160, metric=True)
    with Mapper(engine) as mapper:
        for index in range(3):
            mapper.step(walk[index])
        keyframe = mapper.live_keyframes()[0]
    files = KeyframeFiles(tmp_path / "images", tmp_path / "maps")
    archive = WritingArchive(engine, ArchiveConfig(), files)
    archive.add(keyframe)
    before, stored = files.read(keyframe.id), archive.stored(keyframe.id)
    depth = stored.depth.copy()
    depth[5:10, 5:20] = 0
    archive.put(replace(stored, depth=depth, revision=stored.revision + 1))
    after = files.read(keyframe.id)
    assert (before.depth[20:40, 20:80] > 0).mean() > 0.9
    assert (after.depth[20:40, 20:80] == 0).mean() > 0.9
    assert (after.confidence[20:40, 20:80] == 1).mean() > 0.9
    outside = np.ones(before.depth.shape, bool)
    outside[20:40, 20:80] = False
    assert np.array_equal(after.depth[outside], before.depth[outside])
