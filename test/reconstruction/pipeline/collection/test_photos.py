# SPDX-License-Identifier: Apache-2.0
"""If these fail, photos in any order give no scene, or a wrong one, or work that cannot be done is
only told after it began."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.engines.loading import load_engine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.reconstruction.outputs.colmap import reprojection_errors
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.comparing import ByPointmaps
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.pipeline.options import Picks
from dens3r_ros.reconstruction.pipeline.run import NothingMapped
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.sources.images import image_files
from dens3r_ros.sources.inputs.order import are_photos
from dens3r_ros.sources.inputs.photo_set import at_size
from dens3r_ros.sources.opening import open_source


def test_a_set_of_images_is_one_scene(walk: Any, reconstruct: Any, tmp_path: Path) -> None:
    every = 2
    finished = reconstruct(walk, tmp_path, mode="photos", picks=Picks(every=every))
    true = {walk[i].stamp: walk.poses[i] for i in range(0, len(walk), every)}
    poses = finished.scene.trajectory
    assert {pose.stamp for pose in poses} == set(true) and len(poses) >= 8
    ours = torch.from_numpy(np.array([pose.T_map_camera[:3, 3] for pose in poses]))
    theirs = torch.from_numpy(np.array([true[pose.stamp][:3, 3] for pose in poses]))
    S = register_similarity(ours, theirs).numpy()
    for pose, other in itertools.pairwise(poses):
        off = (S @ pose.T_map_camera)[:3, 3] - true[pose.stamp][:3, 3]
        assert np.linalg.norm(off) < 0.1
        turn = pose.T_map_camera[:3, :3].T @ other.T_map_camera[:3, :3]
        wanted = true[pose.stamp][:3, :3].T @ true[other.stamp][:3, :3]
        assert np.trace(turn.T @ wanted) > 1 + 2 * np.cos(np.deg2rad(3))
    names = {"cloud.ply", "transforms.json", "trajectory.tum", "photos.txt", "report.html"}
    assert names <= set(finished.written.files)
    assert (tmp_path / "colmap" / "sparse" / "0" / "images.bin").is_file()
    assert finished.scene.points is not None
    off = reprojection_errors(finished.scene, finished.scene.points)
    assert len(finished.scene.points.xyz) > 200 and np.median(off) < 2.0
    written = (tmp_path / "colmap" / "sparse" / "0" / "points3D.txt").read_text()
    assert len(written.splitlines()) == 1 + len(finished.scene.points.xyz)
    loaded = read_map(tmp_path / "scene.map")
    assert len(loaded.keyframes) == len(poses) and len(loaded.edges) >= len(poses) - 1


def test_ctrl_c_is_told(walk: Any, reconstruct: Any, tmp_path: Path) -> None:
    stop = StopRequest()
    stop.asked = 1
    with pytest.raises(NothingMapped, match="stopped before the photos were aligned"):
        reconstruct(walk, tmp_path, mode="photos", picks=Picks(every=8), stop=stop)


def photos(*arguments: object) -> Any:
    given = ["reconstruct", *map(str, arguments), "--mode", "photos", "--engine", "geometric"]
    return CliRunner().invoke(app, given)


def test_what_cannot_be_done_is_told_before_work(tmp_path: Path) -> None:
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for n in range(2):
        Image.new("RGB", (64, 48)).save(folder / f"{n}.png")
    for arguments, words in (
        ((folder, "--save-depth"), "are for --mode video"),
        ((folder / "0.png", tmp_path), "one folder of images, or images of one folder"),
    ):
        found = photos(*arguments, "--out", out)
        assert found.exit_code == 2 and words in " ".join(found.output.split()), found.output


def test_one_photo_and_broken_ones_are_told(walk: Any, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(walk[0].image).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no image")
    found = photos(folder, "--out", tmp_path / "out")
    assert found.exit_code == 1 and "1 photo(s) could be read" in found.output, found.output


def test_photos_of_two_places_sizes_and_lenses(tmp_path: Path) -> None:
    """Two halls, a photo twice, one broken file, one of another shape: two models, said so."""
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for place, (seed, count) in enumerate(((3, 7), (8, 5))):
        source = open_source(f"procedural:walk?seed={seed}&frames=200&size=320x240")
        for n in range(count):
            image = Image.fromarray(source[6 * n].image)
            if (place, n) == (0, 2):
                image = image.crop((0, 0, 280, 240))
            image.save(folder / f"{place}{n}.png")
    Image.fromarray(open_source("procedural:walk?seed=3&frames=200&size=320x240")[6].image).save(
        folder / "again.png"
    )
    (folder / "broken.png").write_bytes(b"no image")
    found = photos(folder, "--out", out)
    assert found.exit_code == 0, found.output
    names = [line.split()[1] for line in (out / "photos.txt").read_text().splitlines()]
    others = [line.split()[1] for line in (out / "model_2/photos.txt").read_text().splitlines()]
    assert {name[0] for name in names if name[0] in "01"} == {"0"} and "02.png" in names
    assert {name[0] for name in others} == {"1"} and len(names) >= 7 and len(others) == 5
    report = (out / "report.html").read_text()
    assert "of 2 places that nothing joins" in report and "broken.png" in report
    assert not (out / ".work").exists() and not (out / "model_2" / ".work").exists()


def test_images_in_no_order_are_taken_for_photos(tmp_path: Path) -> None:
    film, mixed = tmp_path / "film", tmp_path / "mixed"
    walk = open_source("procedural:walk?seed=3&frames=60&size=320x240")
    collection = open_source("procedural:photos?seed=2&count=8&size=320x240")
    for folder, source, step in ((film, walk, 5), (mixed, collection, 1)):
        folder.mkdir()
        for n in range(0, len(source), step):
            Image.fromarray(source[n].image).save(folder / f"{n:03d}.png")
    assert are_photos(image_files(film))[0] is False
    assert are_photos(image_files(mixed))[0] is True
    taken = Image.Exif()
    for n, path in enumerate(image_files(film)):
        taken.get_ifd(0x8769)[0x9003] = f"2026:01:01 10:{n:02d}:00"
        Image.open(path).save(path.with_suffix(".jpg"), exif=taken)
        path.unlink()
    assert are_photos(image_files(film)) == (True, "by their EXIF they were taken 60 s apart")


def test_networks_are_shown_photos_of_one_size(walk: Any) -> None:
    frame = walk[0]
    height, width = frame.size
    wide = np.pad(frame.image, ((0, 0), (40, 40), (0, 0)))
    found = at_size(Frame(wide, 0, "wide"), (height, width))
    assert np.array_equal(found.image, frame.image), "the middle is kept"


def test_a_network_of_pairs_sees_every_photo_whole(tmp_path: Path) -> None:
    """Half of a phone's pictures are upright: cut to the shape of the others they show little."""
    walk = open_source("procedural:walk?seed=3&frames=60&size=320x240")
    album = Album(tmp_path / "photos")
    album.add(walk[0])
    upright = np.ascontiguousarray(walk[6].image[:, 70:250])
    lens = walk[6].intrinsics
    assert lens is not None
    album.add(Frame(upright, 1, "upright", lens.cropped(70, 0, 180, 240)))
    album.close()
    engine, maps = load_engine("torch", "dens3r-tiny"), PairMapFiles(tmp_path / "maps")
    assert engine.mixed_sizes  # type: ignore[attr-defined]
    comparing = ByPointmaps(engine, album, False, 1.0, maps)
    found = comparing.compare((0, 1))
    assert [(one.a, one.b) for one in found] == [(0, 1), (1, 0)]
    (depth, _), *_ = maps.of(1)
    assert depth.shape == comparing.lenses.placement(1).size and depth.shape[0] > depth.shape[1]
