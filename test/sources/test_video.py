# SPDX-License-Identifier: Apache-2.0
"""If these fail, a user's own video does not play, or plays with wrong stamps or poses."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from dens3r_ros.sources import open_source
from dens3r_ros.sources.source import SourceError
from dens3r_ros.sources.video_writer import VideoWriter

CAMERA = "width: 64\nheight: 48\nfx: 60\nfy: 60\ncx: 31.5\ncy: 23.5\n"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (64, 48))
    for shade in range(0, 200, 20):
        writer.write(np.full((48, 64, 3), (10, 100, shade), np.uint8))
    writer.release()
    return path


def test_frames_colours_and_stamps_in_order_and_out_of_it(video: Path) -> None:
    source = open_source(video)
    assert len(source) == 10
    for index in (0, 1, 2, 7, 3):
        frame = source[index]
        assert frame.stamp == index * 50_000_000
        assert abs(int(frame.image[..., 0].mean()) - 20 * index) <= 6
        assert abs(int(frame.image[..., 2].mean()) - 10) <= 6
    assert source.truth(0) is None
    with pytest.raises(IndexError):
        source[10]


def test_poses_and_intrinsics_beside_it(video: Path) -> None:
    video.with_suffix(".camera.yaml").write_text(CAMERA)
    video.with_suffix(".poses.txt").write_text("0.10 1 2 3 0 0 0 1\n")
    source = open_source(video)
    assert source[2].intrinsics is not None and source[2].intrinsics.fx == 60
    truth = source.truth(2)
    assert truth is not None and truth.T_world_camera[:3, 3].tolist() == [1, 2, 3]
    assert truth.depth.shape == (48, 64) and np.isnan(truth.depth).all()
    assert source.truth(5) is None


def test_a_file_that_only_claims_to_be_a_video(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"not a video")
    with pytest.raises(SourceError, match="no video"):
        open_source(path)


def test_a_source_written_as_video_reads_back(video: Path, tmp_path: Path) -> None:
    video.with_suffix(".camera.yaml").write_text(CAMERA)
    video.with_suffix(".poses.txt").write_text("0.10 1 2 3 0 0.6 0 0.8\n")
    before = open_source(video)
    copy = tmp_path / "copy.mp4"
    with VideoWriter(copy, rate=20) as writer:
        for index in range(len(before)):
            writer.add(before[index], before.truth(index))
    after = open_source(copy)
    assert len(after) == 10 and after[4].intrinsics == before[4].intrinsics
    assert np.abs(after[4].image.astype(int) - before[4].image).max() <= 12
    poses = [source.truth(2).T_world_camera for source in (before, after)]
    np.testing.assert_allclose(*poses, atol=1e-6)
    assert after.truth(3) is None
