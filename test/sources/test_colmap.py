# SPDX-License-Identifier: Apache-2.0
"""If these fail, photos are judged by poses that are not theirs, or through a wrong lens."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.sources.colmap import ColmapFolder
from dens3r_ros.sources.opening import open_source
from dens3r_ros.sources.source import Source, SourceError

LENS = "1 PINHOLE 64 48 50 51 32.5 24.5"


def write_model(folder: Path, camera: str, poses: np.ndarray, images: list[np.ndarray]) -> None:
    """A text model with its images, of which the last one is missing."""
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    (folder / "images").mkdir()
    (sparse / "cameras.txt").write_text(f"# CAMERA_ID, MODEL\n{camera}\n")
    lines = ["# IMAGE_ID, QW, QX\n# POINTS2D[]\n"]
    for n, T in enumerate(np.linalg.inv(poses)):
        x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
        numbers = " ".join(f"{value:.9f}" for value in (w, x, y, z, *T[:3, 3]))
        lines.append(f"{n + 1} {numbers} 1 photo {n:02d}.png\n")
        lines.append("10.5 12.5 -1\n" if n % 2 else "\n")
        if n + 1 < len(poses):
            Image.fromarray(images[n]).save(folder / "images" / f"photo {n:02d}.png")
    (sparse / "images.txt").write_text("".join(lines))


def posed(count: int) -> np.ndarray:
    random, T = np.random.RandomState(0), np.tile(np.eye(4), (count, 1, 1))
    T[:, :3, :3] = Rotation.random(count, random).as_matrix()
    T[:, :3, 3] = random.normal(0, 3, (count, 3))
    return T


def grey(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), 40 * n, np.uint8) for n in range(count)]


def test_poses_are_of_the_images_that_are_there(tmp_path: Path) -> None:
    poses = posed(4)
    write_model(tmp_path, LENS, poses, grey(4))
    source = open_source(tmp_path)
    assert isinstance(source, ColmapFolder) and isinstance(source, Source) and len(source) == 3
    for n in range(3):
        frame = source[n]
        assert frame.camera == f"photo {n:02d}.png" and (frame.image == 40 * n).all()
        assert np.allclose(source.truth(n).T_world_camera, poses[n], atol=1e-6)
        assert frame.intrinsics is not None
        assert (frame.intrinsics.cx, frame.intrinsics.fy) == (32.0, 51.0)
    assert np.isnan(source.truth(0).depth).all() and source.truth(0).depth.shape == (48, 64)


def test_binary_models_are_read(tmp_path: Path) -> None:
    poses = posed(3)
    write_model(tmp_path, LENS, poses, grey(3))
    sparse = tmp_path / "sparse" / "0"
    (sparse / "cameras.bin").write_bytes(
        struct.pack("<QiiQQ4d", 1, 1, 1, 64, 48, 50, 51, 32.5, 24.5)
    )
    rows = [struct.pack("<Q", 2)]
    for n, T in enumerate(np.linalg.inv(poses)[:2]):
        x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
        rows.append(struct.pack("<i7di", n + 1, w, x, y, z, *T[:3, 3], 1))
        rows.append(f"photo {n:02d}.png".encode() + b"\0")
        rows.append(struct.pack("<Q2dq", 1, 3.5, 4.5, 7))
    (sparse / "images.bin").write_bytes(b"".join(rows))
    for path in sparse.glob("*.txt"):
        path.unlink()
    source = ColmapFolder(tmp_path)
    assert len(source) == 2 and np.allclose(source.truth(1).T_world_camera, poses[1])
    (sparse / "images.bin").write_bytes(b"".join(rows)[:60])
    with pytest.raises(SourceError, match="no whole model"):
        ColmapFolder(tmp_path)


def test_lenses_are_undone(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 60:] = 255
    write_model(tmp_path, "1 SIMPLE_RADIAL 64 48 50 32 24 -0.2", posed(2), [image, image])
    seen = open_source(tmp_path)[0].image
    assert not np.array_equal(seen, image) and seen[24, 32, 0] == 0
    away = tmp_path / "fov"
    write_model(away, "1 FOV 64 48 50 50 32 24 0.9", posed(2), grey(2))
    with pytest.raises(SourceError, match="the kind FOV cannot be undone"):
        open_source(away)[0]


def test_a_model_without_its_images_is_told(tmp_path: Path) -> None:
    write_model(tmp_path, LENS, posed(1), [])
    with pytest.raises(SourceError, match=r"photo 00\.png and others"):
        open_source(tmp_path)


def test_photos_are_judged_by_a_model(tmp_path: Path) -> None:
    """The photos of a walk, described by a model in a unit of its own."""
    walk = open_source("procedural:walk?seed=3&frames=200&size=320x240")
    lens, numbers = walk[0].intrinsics, range(0, 37, 6)
    assert lens is not None
    poses = np.array([truth.T_world_camera for n in numbers if (truth := walk.truth(n))])
    poses[:, :3, 3] *= 7
    told = f"1 PINHOLE 320 240 {lens.fx} {lens.fy} {lens.cx + 0.5} {lens.cy + 0.5}"
    write_model(tmp_path, told, poses, [walk[n].image for n in numbers])
    ran = CliRunner().invoke(app, ["evaluate", "photos", str(tmp_path), "--json", "-"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["registered"] == found["expected"] == 6 and found["rotation_5"] == 1
    assert found["unit"] == "the model's unit" and found["ate"] < 0.02 * found["extent"]
