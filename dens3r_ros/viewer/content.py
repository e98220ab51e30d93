# SPDX-License-Identifier: Apache-2.0
"""What there is to see of a saved map, of a folder of results, or of a file of splats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.archive.stored import StoredView
from dens3r_ros.mapping.files.map_export import cloud as map_cloud
from dens3r_ros.mapping.files.map_export import usual_voxel
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.graph.graph import rigid
from dens3r_ros.reconstruction.outputs.cloud import read_cloud
from dens3r_ros.splats.files import SUFFIXES, read_splats
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats

MAP, CLOUD = "scene.map", "cloud.ply"
_MOST_POINTS = 1_500_000
_SIDE = 320
"""Long side in pixels at which keyframes' images are shown."""
_CONFIDENCE = 2.0


@dataclass(frozen=True, eq=False)
class ShownKeyframe:
    """A keyframe: T_world_camera (4, 4) rigid, a small image (h, w, 3) uint8 RGB, its lens."""

    id: int
    stamp: int
    T_world_camera: np.ndarray
    image: np.ndarray
    intrinsics: Intrinsics


@dataclass(frozen=True, eq=False)
class Content:
    """Points (N, 3) float32 with colours (N, 3) uint8, keyframes, the camera's way (M, 3), and
    a file of a mesh and splats where there are any."""

    name: str
    points: np.ndarray
    colours: np.ndarray
    keyframes: tuple[ShownKeyframe, ...]
    way: np.ndarray
    metric: bool
    mesh: Path | None = None
    splats: Splats | None = None

    @property
    def size(self) -> float:
        """Extent of nearly all points, in the scene's unit."""
        if not len(self.points):
            return 1.0
        low, high = np.percentile(self.points, [2, 98], axis=0)
        return float(max((high - low).max(), 1e-6))


def read_content(path: Path) -> Content:
    """What a map file, a file of splats or a folder of `dens3r reconstruct` shows; OSError,
    ValueError or ImportError with a sentence."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return _splats_alone(path)
    if path.is_file():
        loaded = read_map(path)
        points, colours = map_cloud(loaded, _CONFIDENCE, usual_voxel(loaded), lambda *_: None)
        return _content(path.name, loaded, points, colours)
    if not (path / MAP).is_file():
        raise ValueError(
            f"{path} has no {MAP}: give a folder that dens3r reconstruct wrote, a map file, or "
            f"splats ({', '.join(SUFFIXES)})"
        )
    rows = read_cloud(path / CLOUD)
    loaded = read_map(path / MAP)
    mesh, splats = (path / name for name in ("mesh.glb", "splats.ply"))
    return _content(
        path.resolve().name,
        loaded,
        rows["xyz"],
        rows["rgb"],
        mesh if mesh.is_file() else None,
        read_splats(splats) if splats.is_file() else None,
    )


def _splats_alone(path: Path) -> Content:
    """Splats, with their centres as points: what a person measures and cuts by."""
    splats = read_splats(path)
    if not len(splats):
        raise ValueError(f"{path} holds no splats")
    step = max(1, -(-len(splats) // _MOST_POINTS))
    chosen = splats.means[::step]
    colours = np.rint(255 * constant_colours(splats)[::step]).astype(np.uint8)
    return Content(path.name, chosen, colours, (), np.zeros((0, 3)), splats.metric, splats=splats)


def constant_colours(splats: Splats) -> np.ndarray:
    """(N, 3) from 0 to 1, without what depends on the direction."""
    return (0.5 + CONSTANT * splats.harmonics[:, 0]).clip(0, 1)


def _content(
    name: str,
    loaded: LoadedMap,
    points: np.ndarray,
    colours: np.ndarray,
    mesh: Path | None = None,
    splats: Splats | None = None,
) -> Content:
    step = max(1, -(-len(points) // _MOST_POINTS))
    records = sorted(loaded.records, key=lambda record: record.stamp)
    way = [
        record.placed(loaded.poses[record.keyframe_id]).T_map_camera[:3, 3] for record in records
    ]
    return Content(
        name,
        np.ascontiguousarray(points[::step], np.float32),
        np.ascontiguousarray(colours[::step]),
        tuple(_keyframes(loaded)),
        np.array(way).reshape(-1, 3),
        loaded.info.metric,
        mesh,
        splats,
    )


def _keyframes(loaded: LoadedMap) -> list[ShownKeyframe]:
    shown = []
    for one in loaded.keyframes:
        stored = one.stored
        encoded = np.frombuffer(stored.jpeg, np.uint8)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if decoded is None:
            raise ValueError(f"{loaded.path}: the image of keyframe {stored.id} is no JPEG")
        image = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
        height, width = image.shape[:2]
        scale = min(1.0, _SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        pose = rigid(loaded.poses[stored.id])
        lens = StoredView(stored).camera
        shown.append(ShownKeyframe(stored.id, stored.stamp, pose, small, lens))
    return shown
