# SPDX-License-Identifier: Apache-2.0
"""If these fail, photos in any order give no scene, or a wrong one, or work that cannot be done is
only told after it began."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.reconstruction.global_alignment import AlignmentConfig
from dens3r_ros.reconstruction.pipeline import photos as pipeline
from dens3r_ros.reconstruction.pipeline.options import Picks
from dens3r_ros.reconstruction.pipeline.run import NothingMapped
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.sources.inputs.photo_set import open_photos


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps and points than a person's photos get."""
    few = partial(AlignmentConfig, most_steps=80, most_points=20_000)
    monkeypatch.setattr(pipeline, "AlignmentConfig", few)


def test_a_set_of_images_is_one_scene(walk: Any, reconstruct: Any, tmp_path: Path) -> None:
    every = 5
    finished = reconstruct(walk, tmp_path, mode="photos", picks=Picks(every=every))
    true = {walk[i].stamp: walk.poses[i] for i in range(0, len(walk), every)}
    poses = finished.scene.trajectory
    assert {pose.stamp for pose in poses} == set(true) and len(poses) >= 4
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
    for n in range(31):
        Image.new("RGB", (64, 48)).save(folder / f"{n}.png")
    for arguments, words in (
        ((folder,), "31 photos are too many for --mode photos"),
        ((folder, "--every", 2, "--save-depth"), "are for --mode video"),
        ((folder / "0.png", tmp_path), "one folder of images, or images of one folder"),
    ):
        found = photos(*arguments, "--out", out)
        assert found.exit_code == 2 and words in " ".join(found.output.split()), found.output


def test_photos_of_other_sizes_are_brought_to_that_of_most(walk: Any, tmp_path: Path) -> None:
    image = Image.fromarray(walk[0].image)
    width, height = image.size
    sizes = {"a": (width, height), "b": (2 * width, 2 * height), "c": (width, height)}
    for name, size in sizes.items():
        image.resize(size).save(tmp_path / f"{name}.png")
    wide = Image.new("RGB", (width + 80, height))
    wide.paste(image, (40, 0))
    wide.save(tmp_path / "d.png")
    opened = open_photos([str(tmp_path)])
    assert opened.notes == (f"2 photos are cut and resized to {width}x{height}, the size of most",)
    frames = [frame for _, frame in opened.frames(Picker(Picks()))]
    assert [frame.camera for frame in frames] == ["a.png", "b.png", "c.png", "d.png"]
    for frame in frames:
        assert frame.size == (height, width)
        assert np.abs(frame.image.astype(int) - walk[0].image).mean() < 12
    assert np.array_equal(frames[3].image, walk[0].image), "the middle is kept"
