# SPDX-License-Identifier: Apache-2.0
"""Arrays to image and point cloud messages, without a loop over pixels or points."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from dens3r_ros.geometry.camera import Intrinsics

_IMAGE_DTYPES: dict[str, np.dtype[Any]] = {
    "32FC1": np.dtype("<f4"),
    "32FC3": np.dtype("<f4"),
    "rgb8": np.dtype("u1"),
    "mono8": np.dtype("u1"),
}
_PLAIN_FIELDS = ("x", "y", "z", "rgb")
_MOTION_FIELD = "motion"
_FULL_FIELDS = (*_PLAIN_FIELDS, "normal_x", "normal_y", "normal_z", "curvature", "confidence")


def message_bytes(values: np.ndarray) -> array:
    """The bytes of `values` in the one form that every rclpy assigns without checking each."""
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return data


def header_at(stamp: int, frame_id: str) -> Header:
    """Header of a stamp in nanoseconds."""
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    return header


def image_message(values: np.ndarray, encoding: str, header: Header) -> Image:
    """An Image of (H, W) or (H, W, C) values; `encoding` is 32FC1, 32FC3, rgb8 or mono8."""
    values = np.ascontiguousarray(values, _IMAGE_DTYPES[encoding])
    message = Image(header=header, height=values.shape[0], width=values.shape[1])
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = values.strides[0]
    message.data = message_bytes(values)
    return message


def camera_info_message(intrinsics: Intrinsics, header: Header) -> CameraInfo:
    """CameraInfo of an undistorted image."""
    message = CameraInfo(header=header, width=intrinsics.width, height=intrinsics.height)
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = intrinsics.K.ravel().tolist()
    message.r = np.eye(3).ravel().tolist()
    message.p = np.hstack([intrinsics.K, np.zeros((3, 1))]).ravel().tolist()
    return message


@dataclass(frozen=True, eq=False)
class PointAttributes:
    """What a point may carry beyond place and colour: (H, W, 3) normals, (H, W) the others."""

    normals: np.ndarray
    curvature: np.ndarray
    confidence: np.ndarray


class CloudPacker:
    """Packs maps into PointCloud2, keeping one buffer between frames of equal size."""

    def __init__(self) -> None:
        self._buffer = np.empty((0, 0, 0), np.float32)

    def organised(
        self,
        points: np.ndarray,
        colours: np.ndarray,
        header: Header,
        surface: PointAttributes | None = None,
        motion: np.ndarray | None = None,
    ) -> PointCloud2:
        """A cloud in image order: (H, W, 3) float32 points, NaN where invalid; RGB uint8 colours.

        With a surface, fields are named and ordered as in PCL's PointXYZRGBNormal; `motion` (H, W)
        comes last.
        """
        height, width = points.shape[:2]
        names: tuple[str, ...] = _PLAIN_FIELDS if surface is None else _FULL_FIELDS
        names = names if motion is None else (*names, _MOTION_FIELD)
        values = self._buffer_of((height, width, len(names)))
        values[..., :3] = points
        values[..., 3] = packed_rgb(colours)
        if surface is not None:
            values[..., 4:7] = surface.normals
            values[..., 7] = surface.curvature
            values[..., 8] = surface.confidence
        if motion is not None:
            values[..., -1] = motion
        return _cloud(values, height, width, names, header, False)

    def _buffer_of(self, shape: tuple[int, ...]) -> np.ndarray:
        if self._buffer.shape != shape:
            self._buffer = np.empty(shape, np.float32)
        return self._buffer


def point_list_message(points: np.ndarray, colours: np.ndarray, header: Header) -> PointCloud2:
    """An unorganised cloud of (N, 3) finite points and (N, 3) uint8 RGB colours."""
    values = np.empty((1, len(points), 4), np.float32)
    values[0, :, :3] = points
    values[0, :, 3] = packed_rgb(colours)
    return _cloud(values, 1, len(points), _PLAIN_FIELDS, header, True)


def packed_rgb(colours: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 RGB as the float32 whose bytes are B, G, R, 0, as RViz and PCL read it."""
    bgr = np.zeros((*colours.shape[:-1], 4), np.uint8)
    bgr[..., 0] = colours[..., 2]
    bgr[..., 1] = colours[..., 1]
    bgr[..., 2] = colours[..., 0]
    return bgr.view("<f4")[..., 0]


def _cloud(
    values: np.ndarray,
    height: int,
    width: int,
    names: tuple[str, ...],
    header: Header,
    dense: bool,
) -> PointCloud2:
    message = PointCloud2(header=header, height=height, width=width)
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(names)
    ]
    message.is_bigendian = False
    message.point_step = 4 * len(names)
    message.row_step = message.point_step * width
    message.data = message_bytes(values)
    message.is_dense = dense
    return message
