# SPDX-License-Identifier: Apache-2.0
"""Photos with the poses that a sparse model of COLMAP gives them, text or binary."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.frame import Frame
from dens3r_ros.sources.images import read_image
from dens3r_ros.sources.messages.camera_info import (
    LensCalibration,
    RejectedInfo,
    calibration_from_info,
)
from dens3r_ros.sources.source import SourceError, Truth

_PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "dslr_calibration_undistorted")
_IMAGES = ("images", "", "dslr_images_undistorted")
_SECOND_NS = 1_000_000_000
# Names by the number that binary files have, each with how many parameters it takes.
_MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)
_ONE_FOCAL = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
_FISHEYES = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")


@dataclass(frozen=True)
class _Camera:
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Image:
    name: str
    camera: int
    T_world_camera: np.ndarray


class ColmapFolder:
    """The images of a model that are there, by name, pinhole ones after what lenses do is undone.

    Lengths are in the model's own unit. Depth is not known.
    """

    metric = False

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        model = _model_folder(folder)
        if model is None:
            raise SourceError(f"{folder} holds no cameras and images, .bin or .txt, of COLMAP.")
        binary = (model / "images.bin").is_file()
        try:
            self._cameras = dict(_cameras(model, binary))
            images = sorted(_images(model, binary), key=lambda image: image.name)
        except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
            raise SourceError(f"{model} is no whole model of COLMAP: {error}.") from error
        self._folder = _image_folder(folder, model, [image.name for image in images])
        self._images = [one for one in images if (self._folder / one.name).is_file()]
        self._lenses: dict[
            tuple[int, int, int], tuple[LensCalibration, Callable[[np.ndarray], np.ndarray]]
        ] = {}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Frame:
        """The image at `index`, which is a camera that bears its name."""
        index = range(len(self))[index]
        one = self._images[index]
        # COLMAP takes pixels as they are stored, whatever the file says of its orientation.
        image = read_image(self._folder / one.name, as_stored=True)
        lens, undistorted = self._lens(one, (image.shape[0], image.shape[1]))
        return Frame(undistorted(image), index * _SECOND_NS, one.name, lens.intrinsics)

    def truth(self, index: int) -> Truth:
        """The pose of the image at `index`."""
        one = self._images[range(len(self))[index]]
        camera = self._cameras[one.camera]
        size = camera.height, camera.width
        # One number that stands for all pixels: photos are large, and of depth nothing is known.
        depth = np.broadcast_to(np.float32(np.nan), size)
        return Truth(depth, one.T_world_camera)

    def _lens(
        self, one: _Image, size: tuple[int, int]
    ) -> tuple[LensCalibration, Callable[[np.ndarray], np.ndarray]]:
        key = (one.camera, *size)
        if key not in self._lenses:
            self._lenses.clear()  # what undoes a lens is as large as several images
            lens = _calibration(self._cameras[one.camera], size, one.name)
            self._lenses[key] = lens, lens.undistorter()
        return self._lenses[key]


def is_colmap(folder: Path) -> bool:
    """Whether a folder holds a sparse model."""
    return _model_folder(folder) is not None


def _model_folder(folder: Path) -> Path | None:
    for place in _PLACES:
        for kind in ("bin", "txt"):
            files = [folder / place / f"{name}.{kind}" for name in ("cameras", "images")]
            if all(path.is_file() for path in files):
                return folder / place
    return None


def _image_folder(folder: Path, model: Path, names: list[str]) -> Path:
    """Where most of the images lie."""
    tried = [root / place for root in (folder, *model.parents[:3]) for place in _IMAGES]
    counts = [sum((place / name).is_file() for name in names) for place in tried]
    if not max(counts, default=0):
        first = names[0] if names else "any image"
        raise SourceError(f"{model} tells of {first} and others, but none lies in {tried[0]}.")
    return tried[counts.index(max(counts))]


def _calibration(camera: _Camera, size: tuple[int, int], name: str) -> LensCalibration:
    message = _info(camera)
    try:
        found = calibration_from_info(message, size[1], size[0])
    except RejectedInfo as error:
        raise SourceError(f"the lens of {name}: {error}.") from error
    if found is None:
        raise SourceError(f"the lens of {name} has no focal length.")
    return found


def _info(camera: _Camera) -> SimpleNamespace:
    """The lens with the names of CameraInfo; pixels' centres lie at whole numbers there."""
    one = camera.model in _ONE_FOCAL or camera.model.endswith("RADIAL_FISHEYE")
    values = list(camera.parameters)
    (fx, cx, cy), d = (values[:3], values[3:]) if one else ([values[0], *values[2:4]], values[4:])
    fy = fx if one else values[1]
    if camera.model in _FISHEYES:
        d, kind = (d + [0.0] * 4)[:4], "equidistant"
    elif camera.model == "FULL_OPENCV":
        kind = "rational_polynomial"
    elif camera.model in (*_ONE_FOCAL, "PINHOLE", "OPENCV"):
        d, kind = (d + [0.0] * 5)[:5], "plumb_bob"
    else:
        known = ", ".join(sorted({*_ONE_FOCAL, *_FISHEYES, "PINHOLE", "OPENCV", "FULL_OPENCV"}))
        raise SourceError(f"lenses of the kind {camera.model} cannot be undone; {known} can.")
    return SimpleNamespace(
        k=[fx, 0, cx - 0.5, 0, fy, cy - 0.5, 0, 0, 1],
        d=d,
        width=camera.width,
        height=camera.height,
        distortion_model=kind,
        roi=SimpleNamespace(width=0, height=0, x_offset=0, y_offset=0),
    )


def _cameras(model: Path, binary: bool) -> Iterator[tuple[int, _Camera]]:
    if not binary:
        for line in _lines(model / "cameras.txt"):
            number, kind, width, height, *parameters = line.split()
            values = tuple(float(value) for value in parameters)
            yield int(number), _Camera(kind, int(width), int(height), values)
        return
    with (model / "cameras.bin").open("rb") as file:
        for _ in range(_read(file, "<Q")[0]):
            number, kind, width, height = _read(file, "<iiQQ")
            name, count = _MODELS[kind]
            yield number, _Camera(name, width, height, _read(file, f"<{count}d"))


def _images(model: Path, binary: bool) -> Iterator[_Image]:
    if not binary:
        lines = (model / "images.txt").read_text(encoding="utf-8").splitlines()
        # Every other line holds sightings, and may be empty.
        kept = [line for line in lines if not line.startswith("#")]
        for line in kept[::2]:
            fields = line.split(maxsplit=9)
            if fields:
                pose = [float(value) for value in fields[1:8]]
                yield _Image(fields[9], int(fields[8]), _pose(pose))
        return
    with (model / "images.bin").open("rb") as file:
        for _ in range(_read(file, "<Q")[0]):
            _, *pose, camera = _read(file, "<i7di")
            name = b"".join(iter(lambda: file.read(1), b"\0"))
            yield _Image(name.decode(), camera, _pose(pose))
            file.seek(24 * _read(file, "<Q")[0], 1)


def _pose(values: list[float]) -> np.ndarray:
    """T_world_camera of qw qx qy qz tx ty tz, which take points of the world to the camera."""
    w, x, y, z, *shift = values
    R = Rotation.from_quat([x, y, z, w]).as_matrix()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R.T, -R.T @ np.array(shift)
    return T


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _read(file: BinaryIO, layout: str) -> tuple:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
