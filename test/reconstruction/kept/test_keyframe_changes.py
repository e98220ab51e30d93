# SPDX-License-Identifier: Apache-2.0
"""If this fails, a run that was killed while it refined goes on with depth in the wrong unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, KeyframeMaps

CAMERA = Intrinsics(20, 20, 7.5, 5.5, 16, 12)


def maps(depth: float) -> KeyframeMaps:
    flat, grey = np.full((12, 16), depth, np.float32), np.zeros((12, 16, 3), np.uint8)
    placement = Placement((12, 16), (12, 16), 0, 0, (12, 16))
    return KeyframeMaps(flat, flat, grey, CAMERA, placement)


def test_what_is_refined_does_not_touch_what_mapping_left(tmp_path: Path) -> None:
    files = KeyframeFiles(tmp_path / "images", tmp_path / "maps")
    for number in (1, 2):
        files.put(number, maps(number))
    refined = files.changing_in(tmp_path / "refined")
    refined.put(1, replace(maps(1), depth=np.full((12, 16), 5, np.float32)))
    assert [float(refined.read(n).depth[0, 0]) for n in (1, 2)] == [5, 2]
    assert [float(files.read(n).depth[0, 0]) for n in (1, 2)] == [1, 2]
    again = files.changing_in(tmp_path / "refined")
    assert float(again.read(1).depth[0, 0]) == 1, "what a run that was killed refined is forgotten"
