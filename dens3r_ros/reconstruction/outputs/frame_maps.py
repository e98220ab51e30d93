# SPDX-License-Identifier: Apache-2.0
"""Every frame's depth and normals: kept as they come, written once the scene is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update
from dens3r_ros.reconstruction.outputs.scene import Scene

METRIC_VALUES = 1000.0
"""Values of a depth PNG per metre."""
_TYPICAL_VALUES = 8000.0
"""Of one whose unit is free, at the typical depth."""


class FrameMapsKeeper:
    """Looks at every frame that has a place, and keeps its maps in a folder, in the unit of its
    keyframe, since that of the whole is only known in the end."""

    def __init__(self, folder: Path, least_confidence: float) -> None:
        self._folder, self._least = folder, least_confidence
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, frame: Frame, update: Update, mapper: Mapper) -> None:
        """See `Watcher`."""
        maps, keyframe_id = update.maps, update.keyframe_id
        if maps is None or keyframe_id is None:
            return
        unit = update.scale * scale_of(mapper.keyframe_poses()[keyframe_id])
        sure = maps.confidence >= self._least
        depth = np.where(sure & (maps.depth > 0), maps.depth / np.float32(unit), 0)
        np.savez(
            self.path(frame.stamp, frame.camera),
            depth=depth.astype(np.float32),
            normals=(maps.normals * 127).round().astype(np.int8),
            keyframe=keyframe_id,
        )

    def path(self, stamp: int, camera: str) -> Path:
        """The file of one frame."""
        return self._folder / f"{camera}-{stamp}.npz"


def write_frame_maps(
    out: Path,
    keeper: FrameMapsKeeper,
    scene: Scene,
    units: Mapping[int, float],
    depth: bool,
    normals: bool,
    progress: Callable[[int, int], None],
) -> int:
    """Write what was kept of the frames that have a place: `depth/` with 16-bit PNG and .npz,
    `normals/` with PNG; how many frames. `units` are the keyframes' in the scene's."""
    values = METRIC_VALUES if scene.metric else _TYPICAL_VALUES / scene.typical_depth()
    lines: dict[str, list[str]] = {"depth": [], "normals": []}
    for name, wanted in (("depth", depth), ("normals", normals)):
        if wanted:
            (out / name).mkdir(exist_ok=True)
    for number, pose in enumerate(scene.trajectory):
        path = keeper.path(pose.stamp, pose.camera)
        progress(number + 1, len(scene.trajectory))
        if not path.is_file():
            continue
        with np.load(path) as kept:
            unit = units.get(int(kept["keyframe"]), units[pose.keyframe_id])
            line = f"{pose.stamp // 10**9}.{pose.stamp % 10**9:09d} {{}}/{number:06d}.png\n"
            if depth:
                _write_depth(out / "depth" / f"{number:06d}", kept["depth"] * unit, values)
                lines["depth"].append(line.format("depth"))
            if normals:
                _write_normals(out / "normals" / f"{number:06d}.png", kept["normals"])
                lines["normals"].append(line.format("normals"))
    for name, wanted in (("depth", depth), ("normals", normals)):
        if wanted:
            (out / f"{name}.txt").write_text("".join(lines[name]))
    if depth:
        told = {"png_values_per_unit": values, "unit": scene.unit, "unknown": 0}
        (out / "depth" / "info.json").write_text(json.dumps(told, indent=1) + "\n")
    return max(len(some) for some in lines.values())


def _write_depth(path: Path, depth: np.ndarray, values: float) -> None:
    whole = np.where(depth * values < 65535, np.rint(depth * values), 0).astype(np.uint16)
    cv2.imwrite(str(path.with_suffix(".png")), whole)
    np.savez_compressed(path.with_suffix(".npz"), depth=depth.astype(np.float32))


def _write_normals(path: Path, normals: np.ndarray) -> None:
    """Right red, up green, towards the camera blue; black where unknown."""
    colours = normal_colours(normals.astype(np.float32) / 127)
    cv2.imwrite(str(path), cv2.cvtColor(colours, cv2.COLOR_RGB2BGR))


def normal_colours(normals: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB of normals in the optical frame; black where unknown."""
    towards = normals * np.array([1.0, -1.0, -1.0], np.float32)
    shades = np.rint((towards + 1) * 127.5).clip(0, 255).astype(np.uint8)
    return np.where((np.abs(normals).sum(-1) > 0)[..., None], shades, 0).astype(np.uint8)
