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


def imu_bag(path: Path, placed: bool) -> Path:
    """Two images and ten readings; the camera looks ahead, the sensor's x."""
    make = Messages(TYPES)
    kinds = {k: TYPES.types[f"{p}/msg/{k}"] for p, k in IMU_TYPES}
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:

        def write(topic: str, messages: list[Any]) -> None:
            kind = messages[0].__msgtype__
            connection = writer.add_connection(topic, kind, typestore=TYPES)
            for n, message in enumerate(messages):
                writer.write(connection, 10**9 + n, TYPES.serialize_cdr(message, kind))

        write("/cam/image", [raw(10**9, 10), raw(10**9 + 10**8, 20)])
        readings = []
        for n in range(10):
            header = make.depth(10**9 + n * 10**7, "imu", np.zeros((1, 1), np.float32)).header
            turn, force = kinds["Vector3"](0.1, 0.2, 0.3), kinds["Vector3"](0.0, 0.0, 9.8)
            whole = kinds["Quaternion"](0.0, 0.0, 0.0, 1.0), np.zeros(9), turn, np.zeros(9), force
            readings.append(kinds["Imu"](header, *whole, np.zeros(9)))
        write("/imu/data", readings)
        if placed:
            ahead = np.eye(4)
            ahead[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
            ahead[:3, 3] = 0.1, 0.0, 0.3
            beside = np.eye(4)
            beside[:3, 3] = 0.0, 0.2, 0.0
            write("/tf_static", [make.transforms(0, "base", {"camera": ahead, "imu": beside})])
    return path


IMU_TYPES = (
    ("sensor_msgs", "Imu"),
    ("geometry_msgs", "Vector3"),
    ("geometry_msgs", "Quaternion"),
)


def test_an_inertial_sensor_that_the_bag_places_comes_with_the_images(tmp_path: Path) -> None:
    given = open_input(str(imu_bag(tmp_path / "a", placed=True)))
    assert len(given.imu.readings) == 10
    assert given.imu.readings.stamps[3] == 10**9 + 3 * 10**7
    np.testing.assert_allclose(given.imu.readings.turn[0], (0.1, 0.2, 0.3))
    # The sensor is left of the base and behind and below the camera.
    np.testing.assert_allclose(given.imu.T_camera_imu[:3, 3], (-0.2, 0.3, -0.1), atol=1e-9)
    np.testing.assert_allclose(given.imu.T_camera_imu[:3, 0], (0, 0, 1), atol=1e-9)
    assert any("/imu/data" in note for note in given.notes)


def test_an_inertial_sensor_that_is_nowhere_is_left_aside_and_told(tmp_path: Path) -> None:
    given = open_input(str(imu_bag(tmp_path / "a", placed=False)))
    assert given.imu is None
    assert any("no /tf_static" in note for note in given.notes)
