# SPDX-License-Identifier: Apache-2.0
"""The keyframes as a sparse model of COLMAP, text and binary.

COLMAP's poses take points of the world to the camera, and its pixels' centres lie at halves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.outputs.scene import Scene, SceneKeyframe, ScenePoints

_PINHOLE = 1


@dataclass(frozen=True, eq=False)
class _Image:
    """A keyframe as COLMAP has it: id, camera, qw qx qy qz tx ty tz, and its sightings: pixels
    (M, 2) and the ids of their points (M,)."""

    id: int
    camera: int
    pose: tuple[float, ...]
    name: str
    pixels: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class _Point:
    id: int
    xyz: np.ndarray
    rgb: np.ndarray
    error: float
    track: list[tuple[int, int]]
    """Images with the number of the sighting in each."""


@dataclass(frozen=True, eq=False)
class _Model:
    cameras: dict[int, Intrinsics]
    images: list[_Image]
    points: list[_Point]


def write_colmap(folder: Path, scene: Scene) -> int:
    """Write cameras, images and points3D, .txt and .bin, into `folder`; how many points."""
    model = _model(scene)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text, binary in (
        ("cameras", _cameras_text(model), _cameras_binary(model)),
        ("images", _images_text(model), _images_binary(model)),
        ("points3D", _points_text(model), _points_binary(model)),
    ):
        (folder / f"{name}.txt").write_text("".join(text))
        (folder / f"{name}.bin").write_bytes(b"".join(binary))
    return len(model.points)


def reprojection_errors(scene: Scene, points: ScenePoints) -> np.ndarray:
    """(M,) distances in pixels between sightings and where the keyframe's pose has the point."""
    errors = np.zeros(len(points.point))
    for keyframe in scene.keyframes:
        own = points.keyframe == keyframe.id
        xyz = points.xyz[points.point[own]]
        T = np.linalg.inv(keyframe.T_world_camera)
        seen = xyz @ T[:3, :3].T + T[:3, 3]
        lens = keyframe.intrinsics
        x = lens.fx * seen[:, 0] / seen[:, 2] + lens.cx
        y = lens.fy * seen[:, 1] / seen[:, 2] + lens.cy
        errors[own] = np.linalg.norm(np.stack((x, y), 1) - points.pixels[own], axis=1)
    return errors


def _model(scene: Scene) -> _Model:
    lenses = sorted({keyframe.intrinsics for keyframe in scene.keyframes}, key=repr)
    cameras = {number + 1: lens for number, lens in enumerate(lenses)}
    number_of = {lens: number for number, lens in cameras.items()}
    points = scene.points
    images, places = [], {}
    for keyframe in scene.keyframes:
        own = np.flatnonzero(points.keyframe == keyframe.id) if points else np.zeros(0, int)
        places[keyframe.id] = own
        pixels = points.pixels[own] if points else np.zeros((0, 2))
        seen = points.point[own] + 1 if points else np.zeros(0, int)
        images.append(_image(keyframe, number_of[keyframe.intrinsics], pixels, seen))
    return _Model(cameras, images, _points(scene, places) if points else [])


def _image(keyframe: SceneKeyframe, camera: int, pixels: np.ndarray, seen: np.ndarray) -> _Image:
    T = np.linalg.inv(keyframe.T_world_camera)
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    pose = (w, x, y, z, *T[:3, 3].tolist())
    return _Image(keyframe.id + 1, camera, pose, keyframe.image.name, pixels + 0.5, seen)


def _points(scene: Scene, places: dict[int, np.ndarray]) -> list[_Point]:
    assert scene.points is not None
    points, errors = scene.points, reprojection_errors(scene, scene.points)
    tracks: list[list[tuple[int, int]]] = [[] for _ in points.xyz]
    off = np.zeros(len(points.xyz))
    for keyframe_id, own in places.items():
        for number, sighting in enumerate(own.tolist()):
            tracks[points.point[sighting]].append((keyframe_id + 1, number))
    np.add.at(off, points.point, errors)
    return [
        _Point(n + 1, points.xyz[n], points.rgb[n], float(off[n] / len(track)), track)
        for n, track in enumerate(tracks)
        if track
    ]


def _cameras_text(model: _Model) -> Iterator[str]:
    yield "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
    for number, lens in model.cameras.items():
        numbers = " ".join(f"{value:.12g}" for value in _parameters(lens))
        yield f"{number} PINHOLE {lens.width} {lens.height} {numbers}\n"


def _cameras_binary(model: _Model) -> Iterator[bytes]:
    yield struct.pack("<Q", len(model.cameras))
    for number, lens in model.cameras.items():
        yield struct.pack("<iiQQ", number, _PINHOLE, lens.width, lens.height)
        yield struct.pack("<4d", *_parameters(lens))


def _parameters(lens: Intrinsics) -> tuple[float, ...]:
    return lens.fx, lens.fy, lens.cx + 0.5, lens.cy + 0.5


def _images_text(model: _Model) -> Iterator[str]:
    yield "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# POINTS2D[] as (X, Y, ID)\n"
    for image in model.images:
        pose = " ".join(f"{value:.12g}" for value in image.pose)
        yield f"{image.id} {pose} {image.camera} {image.name}\n"
        seen = zip(image.pixels, image.points, strict=True)
        yield " ".join(f"{x:.3f} {y:.3f} {point}" for (x, y), point in seen) + "\n"


def _images_binary(model: _Model) -> Iterator[bytes]:
    yield struct.pack("<Q", len(model.images))
    row = np.dtype([("xy", "<f8", 2), ("point", "<i8")])
    for image in model.images:
        yield struct.pack("<i7di", image.id, *image.pose, image.camera)
        yield image.name.encode() + b"\0"
        rows = np.empty(len(image.points), row)
        rows["xy"], rows["point"] = image.pixels, image.points
        yield struct.pack("<Q", len(rows)) + rows.tobytes()


def _points_text(model: _Model) -> Iterator[str]:
    yield "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n"
    for point in model.points:
        xyz = " ".join(f"{value:.9g}" for value in point.xyz)
        rgb = " ".join(str(int(value)) for value in point.rgb)
        track = " ".join(f"{image} {number}" for image, number in point.track)
        yield f"{point.id} {xyz} {rgb} {point.error:.6g} {track}\n"


def _points_binary(model: _Model) -> Iterator[bytes]:
    yield struct.pack("<Q", len(model.points))
    for point in model.points:
        yield struct.pack("<Q3d3Bd", point.id, *point.xyz, *map(int, point.rgb), point.error)
        yield struct.pack("<Q", len(point.track))
        yield np.array(point.track, "<i4").tobytes()
