# SPDX-License-Identifier: Apache-2.0
"""A room whose every pixel is known: walks through it need no files and no time."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # one core each: before anything reads how many there are
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.source import Truth

_HALF = np.array([3.0, 1.5, 4.0])


class BoxRoom:
    """A textured box of 6 x 3 x 8 metres, seen by a camera that follows `poses` (N, 4, 4); a
    source like any other."""

    name = "box room"

    def __init__(self, poses: np.ndarray, size: tuple[int, int] = (112, 160)) -> None:
        height, width = size
        self.poses = poses
        self.camera = Intrinsics(
            0.8 * width, 0.8 * width, (width - 1) / 2, (height - 1) / 2, width, height
        )
        noise = np.random.default_rng(7).integers(0, 256, (6, 96, 96, 3), dtype=np.uint8)
        self._walls = [
            cv2.resize(wall, (768, 768), interpolation=cv2.INTER_CUBIC) for wall in noise
        ]

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> Frame:
        depth, wall, hit = self._cast(range(len(self))[index])
        image = np.zeros((*depth.shape, 3), np.uint8)
        for number in range(6):
            on = wall == number
            along = [axis for axis in range(3) if axis != number // 2]
            place = (hit[on][:, along] / _HALF[along] + 1) / 2
            x, y = (767 * place.clip(0, 1)).astype(int).T
            image[on] = self._walls[number][y, x]
        return Frame(image, (index + 1) * 100_000_000, intrinsics=self.camera)

    def truth(self, index: int) -> Truth:
        depth, wall, _ = self._cast(index)
        inward = np.zeros((6, 3))
        inward[range(6), [0, 0, 1, 1, 2, 2]] = [-1, 1, -1, 1, -1, 1]
        normals = inward[wall] @ self.poses[index][:3, :3]
        return Truth(depth.astype(np.float32), self.poses[index], normals.astype(np.float32))

    def _cast(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y = np.meshgrid(np.arange(self.camera.width), np.arange(self.camera.height))
        camera = self.camera
        rays = np.stack(
            ((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)), -1
        )
        T = self.poses[index]
        out = rays @ T[:3, :3].T
        ahead = np.where(out > 0, _HALF - T[:3, 3], -_HALF - T[:3, 3])
        times = ahead / np.where(np.abs(out) < 1e-9, 1e-9, out)
        axis = times.argmin(-1)
        depth = times.min(-1)
        forward = np.take_along_axis(out, axis[..., None], -1)[..., 0] > 0
        return depth, 2 * axis + ~forward, T[:3, 3] + out * depth[..., None]


def pose(x: float, y: float, z: float, turn: float = 0.0, pitch: float = 0.0) -> np.ndarray:
    """T_world_camera: metres, and degrees about the vertical and the camera's own x axis."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("YX", [turn, pitch], degrees=True).as_matrix()
    T[:3, 3] = x, y, z
    return T


@pytest.fixture(scope="session")
def box_room() -> Callable[..., BoxRoom]:
    """Makes rooms from poses."""
    return BoxRoom


@pytest.fixture(scope="session")
def camera_pose() -> Callable[..., np.ndarray]:
    """Makes poses from metres and degrees."""
    return pose


@pytest.fixture(scope="session")
def walk(box_room: Callable[..., BoxRoom]) -> BoxRoom:
    """24 frames forward, sideways and round: 2 m and 70 degrees."""
    s = np.linspace(0, 1, 24)
    return box_room(
        np.array([pose(1.5 * t - 0.7, 0.2 * np.sin(6 * t), 1.5 * t - 2, 70 * t - 20, 4) for t in s])
    )
