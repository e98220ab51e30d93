# SPDX-License-Identifier: Apache-2.0
"""Without these a user's images arrive in the wrong order, turned, or with another frame's pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dens3r_ros.sources import ImageFolder, Source, SourceError, TumSequence, open_source

HOLOLENS = Path(__file__).parents[3] / "shared" / "data" / "hololens"


def save(path: Path, value: int = 0, size: tuple[int, int] = (8, 6), orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, (value, value, value)).save(path, exif=exif)


def tum(folder: Path, depth_stamp: float = 1.0, pose: str = "1 2 3 0 0 0 2") -> Path:
    save(folder / "rgb" / "1.png")
    (folder / "rgb.txt").write_text("# comment\n1.000000001 rgb/1.png\n")
    (folder / "depth").mkdir()
    Image.fromarray(np.full((6, 8), 2500, np.uint16)).save(folder / "depth" / "1.png")
    (folder / "depth.txt").write_text(f"{depth_stamp} depth/1.png\n")
    (folder / "groundtruth.txt").write_text(f"0.5 9 9 9 0 0 0 1\n0.99 {pose}\n")
    return folder


def camera_yaml(folder: Path, width: int = 8, extra: str = "") -> None:
    (folder / "camera.yaml").write_text(
        f"width: {width}\nheight: 6\nfx: 7.5\nfy: 7\ncx: 3.5\ncy: 2.5\n{extra}"
    )


def test_images_come_in_natural_order(tmp_path):
    for number in (10, 9, 1):
        save(tmp_path / f"frame{number}.png", number)
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(tmp_path)
    assert isinstance(source, ImageFolder) and isinstance(source, Source)
    assert [int(frame.image[0, 0, 0]) for frame in source] == [1, 9, 10]
    assert source[1].stamp - source[0].stamp == round(1e9 / 30)
    assert source.truth(0) is None


def test_exif_turns_the_image(tmp_path):
    save(tmp_path / "a.jpg", orientation=6)
    assert open_source(tmp_path)[0].size == (8, 6)


def test_sixteen_bit_grey_keeps_its_shades(tmp_path):
    Image.fromarray(np.full((6, 8), 257 * 40, np.uint16)).save(tmp_path / "a.png")
    assert (open_source(tmp_path)[0].image == 40).all()


def test_sizes_that_differ_are_named(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", size=(9, 6))
    with pytest.raises(SourceError, match=r"a\.png is 8x6 and b\.png is 9x6"):
        open_source(tmp_path)


def test_a_broken_image_is_named(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(SourceError, match=r"a\.png cannot be read"):
        open_source(tmp_path)[0]


def test_tum_layout_with_the_benchmarks_own_depth_unit(tmp_path):
    source = open_source(tum(tmp_path))
    assert isinstance(source, TumSequence) and isinstance(source, Source)
    assert source[0].stamp == 1_000_000_001 and source[0].intrinsics is None
    truth = source.truth(0)
    assert np.allclose(truth.depth, 0.5)
    assert np.allclose(truth.T_world_camera[:3, 3], [1, 2, 3])
    assert np.allclose(truth.T_world_camera[:3, :3], np.eye(3))


def test_camera_yaml_gives_intrinsics_and_depth_unit(tmp_path):
    camera_yaml(tum(tmp_path), extra="depth_scale: 1000\n")
    source = open_source(tmp_path)
    assert source[0].intrinsics.fx == 7.5 and np.allclose(source.truth(0).depth, 2.5)


def test_depth_too_far_in_time_is_not_taken(tmp_path):
    truth = open_source(tum(tmp_path, depth_stamp=1.03)).truth(0)
    assert np.isnan(truth.depth).all() and truth.depth.shape == (6, 8)


def test_no_pose_near_enough_means_no_truth(tmp_path):
    assert TumSequence(tum(tmp_path), tolerance=0.005).truth(0) is None


@pytest.mark.parametrize(
    ("pose", "what"), [("1 2 3 0 0 0 0", "no pose"), ("1 2 3", "7 fields"), ("a b c d e f g", "no")]
)
def test_bad_poses_are_named(tmp_path, pose, what):
    with pytest.raises(SourceError, match=what):
        open_source(tum(tmp_path, pose=pose)).truth(0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda folder: camera_yaml(folder, width=9), "9x6"),
        (lambda folder: (folder / "camera.yaml").write_text("fx: 1\n"), "lacks width"),
        (lambda folder: camera_yaml(folder, extra="depth_scale: metre\n"), "must be a number"),
        (lambda folder: (folder / "rgb.txt").write_text("one rgb/1.png\n"), "no stamp"),
        (lambda folder: (folder / "rgb.txt").write_text("1 rgb/2.png\n"), "does not exist"),
        (lambda folder: (folder / "rgb.txt").write_text("# nothing\n"), "lists no images"),
    ],
)
def test_faults_of_a_sequence_are_named(tmp_path, change, what):
    change(tum(tmp_path))
    with pytest.raises(SourceError, match=what):
        open_source(tmp_path)


def test_unreadable_paths_say_what_was_found(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        open_source(tmp_path / "none")
    with pytest.raises(SourceError, match="nothing"):
        open_source(tmp_path)
    save(tmp_path / "left" / "a.png")
    (tmp_path / "walk.mp4").write_bytes(b"")
    with pytest.raises(SourceError, match=r"1 \.mp4 file.*left with 1 images.*Expected"):
        open_source(tmp_path)


@pytest.mark.skipif(not HOLOLENS.exists(), reason=f"{HOLOLENS} is not here")
def test_a_real_sequence_reads_whole():
    source = open_source(HOLOLENS)
    assert len(source) == 180 and source[179].size == (360, 540)
    truth = source.truth(179)
    assert 0.3 < np.nanmedian(truth.depth) < 10
    assert np.allclose(np.linalg.det(truth.T_world_camera), 1)
