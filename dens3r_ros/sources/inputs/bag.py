# SPDX-License-Identifier: Apache-2.0
"""Bags of ROS 2, sqlite3 and MCAP, read by rosbags: no ROS is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dens3r_ros.frame import Frame
from dens3r_ros.sources.inputs.bag_imu import imu_of
from dens3r_ros.sources.inputs.input import Unreadable, Wanted
from dens3r_ros.sources.messages.camera_info import (
    LensCalibration,
    RejectedInfo,
    calibration_from_info,
)
from dens3r_ros.sources.messages.images import RejectedImage, rgb_from_compressed, rgb_from_image
from dens3r_ros.sources.source import SourceError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
MOST_PIXELS = 100_000_000
_NO_PICTURES = ("depth", "disparity", "confidence", "normals", "mask")
"""Words in the topics of images that no camera took."""


def is_bag(path: Path) -> bool:
    """Whether a file or folder is a bag by its name or what lies in it."""
    if path.is_file():
        return path.suffix.lower() in (".mcap", ".db3")
    return (path / "metadata.yaml").is_file() or any(path.glob("*.mcap")) or any(path.glob("*.db3"))


class BagInput:
    """One camera's images of a bag, rectified where the bag holds its calibration.

    `topic` may be left out where the bag holds images on one topic only. `imu` is what an inertial
    sensor beside the camera read, None where the bag holds none or does not place it.
    """

    rough_lens = False

    def __init__(self, path: Path, topic: str = "") -> None:
        self.name, self._path = path.stem, path
        with _reader(path) as reader:
            images = [c for c in reader.connections if c.msgtype in (IMAGE, COMPRESSED)]
            self._topic = _chosen(path, images, topic)
            self.total: int | None = sum(c.msgcount for c in images if c.topic == self._topic)
            self._info = _first_info(reader, self._topic)
            self.imu, told = imu_of(reader, _frame_of(reader, self._topic))
        self.notes = (f"images of {self._topic}",) + (() if self._info else ("no calibration",))
        self.notes += (told,) if told else ()
        self._lens: LensCalibration | None = None
        self._undistort: Any = None

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`."""
        with _reader(self._path) as reader:
            connections = [c for c in reader.connections if c.topic == self._topic]
            messages = enumerate(reader.messages(connections=connections))
            while not wanted.over:
                try:
                    index, (connection, time, data) = next(messages)
                except StopIteration:
                    return
                except Exception as error:  # what a damaged file makes of a reader is no fixed set
                    yield -1, Unreadable(-1, f"{self._path} is damaged from there on: {error}")
                    return
                if wanted.by_index(index) and wanted.by_stamp(time):
                    yield index, self._frame(reader, index, connection, time, data)

    def _frame(
        self, reader: Any, index: int, connection: Any, time: int, data: bytes
    ) -> Frame | Unreadable:
        decode = rgb_from_compressed if connection.msgtype == COMPRESSED else rgb_from_image
        try:
            message = reader.deserialize(data, connection.msgtype)
            image = decode(message, MOST_PIXELS)
        except (RejectedImage, ValueError, IndexError, AssertionError) as error:
            return Unreadable(index, f"message {index} of {self._topic}: {error}")
        size = image.shape[0], image.shape[1]
        lens = self._lens_for(size)
        if lens is not None:
            image = self._undistort(image)
        stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        return Frame(image, stamp or time, intrinsics=lens.intrinsics if lens else None)

    def _lens_for(self, size: tuple[int, int]) -> LensCalibration | None:
        if self._info is None:
            return None
        known = self._lens
        if known is None or (known.intrinsics.height, known.intrinsics.width) != size:
            message = _Calibration.of(self._info)
            try:
                self._lens = calibration_from_info(message, size[1], size[0])
            except RejectedInfo as error:
                self.notes += (f"calibration is left aside: {error}",)
                self._info = self._lens = None
            if self._lens is not None:
                self._undistort = self._lens.undistorter()
        return self._lens


class _Calibration:
    """A CameraInfo with ROS 2's names, whatever the reader calls its fields."""

    def __init__(self, k: Any, d: Any, info: Any) -> None:
        self.k, self.d, self.width, self.height = k, d, info.width, info.height
        self.distortion_model, self.roi = info.distortion_model, info.roi

    @staticmethod
    def of(info: Any) -> _Calibration:
        """Of ROS 1 and 2."""
        k = info.k if hasattr(info, "k") else info.K
        return _Calibration(k, info.d if hasattr(info, "d") else info.D, info)


def _reader(path: Path) -> Any:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ModuleNotFoundError as error:
        raise SourceError("bags need rosbags: pip install 'dens3r_ros[bags]'") from error
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        files = sorted([*path.glob("*.mcap"), *path.glob("*.db3")])
    else:
        files = [path]
    try:
        reader = AnyReader(files, default_typestore=get_typestore(Stores.LATEST))
        reader.open()
    except Exception as error:  # what a damaged file makes of a reader is no fixed set
        raise SourceError(f"{path} cannot be read as a bag: {error}") from error
    return _Closing(reader)


class _Closing:
    """Gives an open reader, and closes it."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __enter__(self) -> Any:
        return self._reader

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def _chosen(path: Path, images: list[Any], topic: str) -> str:
    held = sorted({f"{c.topic} ({c.msgcount} images)" for c in images if c.msgcount})
    if topic:
        found = [c.topic for c in images if c.topic.lstrip("/") == topic.lstrip("/")]
        if found:
            return str(found[0])
        raise SourceError(f"{path} has no images on {topic}; it has {', '.join(held) or 'none'}.")
    counted = {c.topic for c in images if c.msgcount}
    if not counted:
        raise SourceError(f"{path} holds no images.")
    pictures = {name for name in counted if not any(word in name for word in _NO_PICTURES)}
    pictures = _without_twins(pictures or counted)
    if len(pictures) > 1:
        raise SourceError(f"{path} holds several cameras, name one by --topic: {', '.join(held)}.")
    return str(pictures.pop())


def _without_twins(topics: set[str]) -> set[str]:
    """Without the compressed copy of a topic that is there too."""
    return {
        t for t in topics if not (t.endswith("/compressed") and t[: -len("/compressed")] in topics)
    }


def _first_info(reader: Any, topic: str) -> Any:
    """The camera's first CameraInfo: that beside the images' topic, else the only one."""
    infos = [c for c in reader.connections if c.msgtype == INFO and c.msgcount]
    base = topic.removesuffix("/compressed").rsplit("/", 1)[0]
    beside = [c for c in infos if c.topic.rsplit("/", 1)[0] == base]
    chosen = beside or (infos if len({c.topic for c in infos}) == 1 else [])
    for _, _, data in reader.messages(connections=chosen[:1]) if chosen else ():
        return reader.deserialize(data, INFO)
    return None


def _frame_of(reader: Any, topic: str) -> str:
    """The frame that a topic's first message is in."""
    connections = [c for c in reader.connections if c.topic == topic]
    try:
        connection, _, data = next(reader.messages(connections=connections))
        return str(reader.deserialize(data, connection.msgtype).header.frame_id).lstrip("/")
    except Exception:  # what a damaged file makes of a reader is no fixed set; reading tells of it
        return ""
