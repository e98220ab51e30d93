# SPDX-License-Identifier: Apache-2.0
"""Bags of last week, of whatever storage and encoding, are read where no ROS is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.outputs.bag_messages import Messages
from dens3r_ros.reconstruction.pipeline.options import Picks
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.sources.inputs import Unreadable, open_input
from dens3r_ros.sources.inputs.opening import InputOptions
from dens3r_ros.sources.source import SourceError

LENS = Intrinsics(60, 60, 31.5, 23.5, 64, 48)
TYPES = get_typestore(Stores.ROS2_HUMBLE)


def raw(stamp: int, shade: int) -> Any:
    make = Messages(TYPES)
    message = make.depth(stamp, "camera", np.zeros((48, 64), np.float32))
    pixels = np.full((48, 64, 3), (shade, 10, 20), np.uint8).ravel()
    kind = TYPES.types["sensor_msgs/msg/Image"]
    return kind(message.header, 48, 64, "bgr8", 0, 192, pixels)


def jpeg(stamp: int, shade: int) -> Any:
    pixels = np.full((48, 64, 3), (shade, 10, 20), np.uint8)
    return Messages(TYPES).jpeg(stamp, "camera", cv2.imencode(".jpg", pixels)[1].tobytes())


def bag(path: Path, plugin: Any, topics: dict[str, Any], info: bool = True) -> Path:
    """Five images a topic, and the camera's calibration."""
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        if info:
            message = Messages(TYPES).camera_info(0, "camera", LENS)
            told = writer.add_connection("/cam/camera_info", message.__msgtype__, typestore=TYPES)
            writer.write(told, 1, TYPES.serialize_cdr(message, message.__msgtype__))
        for topic, make in topics.items():
            first = make(0, 0)
            kind = first.__msgtype__
            connection = writer.add_connection(topic, kind, typestore=TYPES)
            for n in range(5):
                stamp = 10**9 + n * 10**8
                message = make(stamp, 40 * n)
                writer.write(connection, stamp, TYPES.serialize_cdr(message, kind))
    return path


def frames(given: Any) -> list[Any]:
    return [frame for _, frame in given.frames(Picker(Picks()))]


@pytest.mark.parametrize("plugin", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
@pytest.mark.parametrize(("topic", "make"), [("/cam/image", raw), ("/cam/image/compressed", jpeg)])
def test_images_with_their_lens(plugin: Any, topic: str, make: Any, tmp_path: Path) -> None:
    path = bag(tmp_path / "a", plugin, {topic: make})
    given = open_input(str(path))
    assert given.total == 5
    found = frames(given)
    assert [frame.stamp for frame in found] == [10**9 + n * 10**8 for n in range(5)]
    assert [int(frame.image[..., 2].mean() / 39) for frame in found] == [0, 1, 2, 3, 4]
    assert found[0].intrinsics == LENS


def test_a_single_file_of_a_bag(tmp_path: Path) -> None:
    path = bag(tmp_path / "a", StoragePlugin.MCAP, {"/cam/image": raw}, info=False)
    given = open_input(str(next(path.glob("*.mcap"))))
    assert len(frames(given)) == 5 and frames(given)[0].intrinsics is None
    assert "no calibration" in given.notes


def test_of_several_cameras_one_is_named(tmp_path: Path) -> None:
    topics = {"/left/image": raw, "/right/image": raw, "/left/depth": raw}
    path = bag(tmp_path / "a", StoragePlugin.MCAP, topics)
    with pytest.raises(SourceError, match=r"--topic: .*/left/image \(5 images\)"):
        open_input(str(path))
    assert len(frames(open_input(str(path), InputOptions(topic="/right/image")))) == 5
    with pytest.raises(SourceError, match="no images on /rear"):
        open_input(str(path), InputOptions(topic="/rear"))


def test_raw_is_taken_where_a_compressed_copy_is_there_too(tmp_path: Path) -> None:
    topics = {"/cam/image": raw, "/cam/image/compressed": jpeg}
    given = open_input(str(bag(tmp_path / "a", StoragePlugin.SQLITE3, topics)))
    assert given.notes[0] == "images of /cam/image"


def test_a_bag_without_images_and_one_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        open_input(str(bag(tmp_path / "a", StoragePlugin.MCAP, {})))
    (tmp_path / "b.mcap").write_bytes(b"no bag")
    with pytest.raises(SourceError, match="cannot be read as a bag"):
        open_input(str(tmp_path / "b.mcap"))


def test_a_damaged_bag_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = bag(tmp_path / "a", StoragePlugin.MCAP, {"/cam/image": lambda s, v: noisy(s)})
    file = next(path.glob("*.mcap"))
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    file.write_bytes(bytes(content))
    try:
        found = frames(open_input(str(path)))
    except SourceError as error:
        assert "cannot be read" in str(error)
        return
    assert isinstance(found[-1], Unreadable) or len(found) == 5


def noisy(stamp: int) -> Any:
    message = raw(stamp, 0)
    pixels = np.random.default_rng(stamp).integers(0, 256, 48 * 192, dtype=np.uint8)
    kind = TYPES.types["sensor_msgs/msg/Image"]
    return kind(message.header, 48, 64, "bgr8", 0, 192, pixels)
