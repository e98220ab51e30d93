# SPDX-License-Identifier: Apache-2.0
"""Frames to a video file, with the poses and intrinsics that `Video` reads back."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.frame import Frame
from dens3r_ros.sources.source import SourceError, Truth

_CODECS = {".mp4": "mp4v", ".avi": "XVID", ".mkv": "mp4v"}


class VideoWriter:
    """Writes MPEG-4 video; stamps are counted from its beginning at its rate."""

    def __init__(self, path: Path, rate: float) -> None:
        if path.suffix.lower() not in _CODECS:
            raise SourceError(f"{path}: a video to write ends in {', '.join(_CODECS)}.")
        self._path, self._rate = path, rate
        self._video: cv2.VideoWriter | None = None
        self._poses: list[str] = []
        self._count = 0

    def add(self, frame: Frame, truth: Truth | None) -> None:
        """Append a frame, and its pose where it is known."""
        if self._video is None:
            self._open(frame)
        assert self._video is not None
        self._video.write(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        if truth is not None:
            self._poses.append(_pose_line(self._count / self._rate, truth.T_world_camera))
        self._count += 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.release()
        if self._poses:
            header = "# timestamp tx ty tz qx qy qz qw\n"
            self._path.with_suffix(".poses.txt").write_text(header + "".join(self._poses))

    def _open(self, frame: Frame) -> None:
        height, width = frame.size
        code = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
        self._video = cv2.VideoWriter(str(self._path), code, self._rate, (width, height))
        if not self._video.isOpened():
            raise SourceError(f"{self._path} cannot be written.")
        if frame.intrinsics is not None:
            camera = frame.intrinsics
            names = ("width", "height", "fx", "fy", "cx", "cy")
            lines = [f"{name}: {getattr(camera, name)}\n" for name in names]
            self._path.with_suffix(".camera.yaml").write_text("".join(lines))


def _pose_line(seconds: float, T_world_camera: np.ndarray) -> str:
    quaternion = Rotation.from_matrix(T_world_camera[:3, :3]).as_quat()
    numbers = " ".join(f"{n:.7f}" for n in (*T_world_camera[:3, 3], *quaternion))
    return f"{seconds:.6f} {numbers}\n"
