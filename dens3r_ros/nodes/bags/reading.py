# SPDX-License-Identifier: Apache-2.0
"""A bag's images and calibration in the order of recording, and what is wrong with a bag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO = "sensor_msgs/msg/CameraInfo"
_CLASSES = {kind.__name__: kind for kind in (Image, CompressedImage, CameraInfo)}
_NO_METADATA = (
    "has no metadata.yaml: `ros2 bag reindex {}` writes it anew; one file of a bag can be named too"
)


class BagError(ValueError):
    """A bag that cannot be stepped through; the text says why."""


class BagDamaged(BagError):
    """Reading ended before the bag's end; what came until then is good."""


class Bag:
    """A bag of ROS 2, of any storage; opened and looked at when it is made."""

    def __init__(self, path: Path, image: str, camera_info: str) -> None:
        self.path = path
        self._reader = _opened(path)
        if not self._reader.is2:
            raise BagError(f"{path} is of ROS 1: convert it first, by rosbags-convert")
        self._wanted = [*self._images(image), *self._infos(camera_info)]
        self.total = sum(connection.msgcount for connection in self._wanted)
        """Messages of both topics, as the bag counts them."""

    def messages(self) -> Iterator[tuple[str, Any, bytes]]:
        """(topic, message class, serialised message); BagDamaged where the rest is unreadable."""
        read, why = 0, "it ends there"
        stored = self._reader.messages(connections=self._wanted)
        try:
            while True:
                try:
                    connection, _, data = next(stored)
                except StopIteration:
                    break
                except Exception as error:  # what a damaged file makes of a reader is no fixed set
                    why = f"{type(error).__name__}: {error}"
                    break
                yield connection.topic, _CLASSES[connection.msgtype.rsplit("/", 1)[-1]], bytes(data)
                read += 1
        finally:
            self._reader.close()
        if read < self.total:
            raise BagDamaged(
                f"{self.path} is damaged: {read} of {self.total} messages could be read ({why})"
            )

    def _images(self, topic: str) -> list[Any]:
        on_topic = self._on(topic)
        images = [c for c in on_topic if c.msgtype in IMAGES]
        if not images:
            held = ", ".join(sorted(f"{c.topic} ({c.msgtype})" for c in self._reader.connections))
            raise BagError(f"{self.path} has no images on {topic}; it holds {held or 'nothing'}")
        if not any(c.msgcount for c in images):
            raise BagError(f"{self.path} is empty: 0 messages were recorded on {topic}")
        return images

    def _infos(self, topic: str) -> list[Any]:
        on_topic = self._on(topic)
        for connection in on_topic:
            if connection.msgtype != INFO:
                raise BagError(
                    f"{topic} in {self.path} is {connection.msgtype}, not {INFO}: name another "
                    "topic by camera_info"
                )
        return on_topic

    def _on(self, topic: str) -> list[Any]:
        wanted = topic.lstrip("/")
        return [c for c in self._reader.connections if c.topic.lstrip("/") == wanted]


def _opened(path: Path) -> Any:
    if not path.exists():
        raise BagError(f"bag '{path}' does not exist")
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        raise BagError(f"{path} {_NO_METADATA.format(path)}")
    try:
        from rosbags.highlevel import AnyReader
    except ModuleNotFoundError as error:
        raise BagError("stepping through bags needs rosbags: pip install rosbags") from error
    try:
        reader = AnyReader([path])
        reader.open()
    except Exception as error:  # what a damaged file makes of a reader is no fixed set
        raise BagError(f"{path} cannot be read: {error}") from error
    return reader
