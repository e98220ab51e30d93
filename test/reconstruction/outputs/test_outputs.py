# SPDX-License-Identifier: Apache-2.0
"""A model that other programs cannot open, or that lies elsewhere in them, is of no use."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.registration import register_similarity


def read_tum(path: Any) -> dict[int, np.ndarray]:
    """T_world_camera by stamp, by a reader of our own that takes the format literally."""
    poses = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        words = line.split()
        seconds, _, rest = words[0].partition(".")
        T = np.eye(4)
        T[:3, 3] = [float(word) for word in words[1:4]]
        T[:3, :3] = Rotation.from_quat([float(word) for word in words[4:]]).as_matrix()
        poses[int(seconds) * 10**9 + int(rest)] = T
    return poses


@pytest.fixture(scope="module")
def S_room_scene(made: Any) -> np.ndarray:
    """The scene in the room, by its trajectory."""
    import torch

    poses = read_tum(made.out / "trajectory.tum")
    true = {made.room[i].stamp: made.room.poses[i] for i in range(len(made.room))}
    stamps = sorted(poses)
    ours = torch.from_numpy(np.array([poses[s][:3, 3] for s in stamps]))
    theirs = torch.from_numpy(np.array([true[s][:3, 3] for s in stamps]))
    return register_similarity(ours, theirs).numpy()


def test_every_frame_has_a_pose_near_the_truth(made: Any, S_room_scene: np.ndarray) -> None:
    poses = read_tum(made.out / "trajectory.tum")
    true = {made.room[i].stamp: made.room.poses[i] for i in range(len(made.room))}
    assert set(poses) == set(true)
    scale = np.cbrt(np.linalg.det(S_room_scene[:3, :3]))
    assert abs(scale - 1) < 0.05, "the oracle's lengths are metres"
    for stamp, T in poses.items():
        off = (S_room_scene @ T)[:3, 3] - true[stamp][:3, 3]
        assert np.linalg.norm(off) < 0.05


def test_keyframes_are_frames(made: Any) -> None:
    keyframes, frames = (read_tum(made.out / f"{n}.tum") for n in ("keyframes", "trajectory"))
    assert 3 <= len(keyframes) < len(frames)
    for stamp, T in keyframes.items():
        assert np.allclose(T, frames[stamp], atol=1e-3)


def test_the_lens(made: Any) -> None:
    told = json.loads((made.out / "intrinsics.json").read_text())
    lens = told["cameras"]["camera"]
    assert (lens["width"], lens["height"], lens["estimated"]) == (160, 112, False)
    assert lens["fx"] == pytest.approx(made.room.camera.fx, rel=1e-6)
    assert told["lengths"] == "metres"


def test_the_cloud_in_plyfile_and_open3d(made: Any, S_room_scene: Any, in_room: Any) -> None:
    plyfile = pytest.importorskip("plyfile")
    open3d = pytest.importorskip("open3d")
    vertex = plyfile.PlyData.read(str(made.out / "cloud.ply"))["vertex"]
    assert vertex.count > 5000
    points = np.stack([vertex[axis] for axis in "xyz"], 1)
    assert np.median(in_room(points, S_room_scene)) < 0.08, "the oracle errs by some percent"
    normals = np.stack([vertex[name] for name in ("nx", "ny", "nz")], 1) @ S_room_scene[:3, :3].T
    assert np.median(np.abs(normals).max(1)) > 0.97, "walls stand along the room's axes"
    assert vertex["confidence"].min() >= 1.5
    cloud = open3d.io.read_point_cloud(str(made.out / "cloud.ply"))
    assert len(cloud.points) == vertex.count and cloud.has_colors() and cloud.has_normals()


def test_the_splats_in_plyfile(made: Any, S_room_scene: Any, in_room: Any) -> None:
    plyfile = pytest.importorskip("plyfile")
    data = plyfile.PlyData.read(str(made.out / "splats.ply"))
    assert data.comments == ["dens3r splats frame=map unit=metres"]
    vertex = data["vertex"]
    told = made.finished.written.files["splats.ply"]
    assert vertex.count > 5000 and told == f"{vertex.count} splats"
    assert "splats.ply" in (made.out / "report.html").read_text()
    points = np.stack([vertex[axis] for axis in "xyz"], 1)
    assert np.median(in_room(points, S_room_scene)) < 0.08, "the oracle errs by some percent"
    scales = np.exp(np.stack([vertex[f"scale_{n}"] for n in range(3)], 1))
    turns = Rotation.from_quat(np.stack([vertex[f"rot_{n}"] for n in (1, 2, 3, 0)], 1))
    thin = turns.as_matrix()[np.arange(vertex.count), :, scales.argmin(1)]
    across = np.abs(thin @ S_room_scene[:3, :3].T).max(1)
    assert np.median(across) > 0.93, "discs lie on walls; of random ones it would be 0.8"
    colours = 0.5 + 0.28209479 * np.stack([vertex[f"f_dc_{n}"] for n in range(3)], 1)
    cloud = plyfile.PlyData.read(str(made.out / "cloud.ply"))["vertex"]
    near = cKDTree(np.stack([cloud[axis] for axis in "xyz"], 1)).query(points)[1]
    shown = np.stack([cloud[name] for name in ("red", "green", "blue")], 1)[near] / 255
    assert np.median(np.abs(colours - shown)) < 0.1 < np.median(np.abs(colours - shown[::-1]))


def test_the_mesh_in_trimesh(made: Any, S_room_scene: Any, in_room: Any) -> None:
    trimesh = pytest.importorskip("trimesh")
    for name in ("mesh.ply", "mesh.glb"):
        mesh = trimesh.load(made.out / name, force="mesh")
        assert len(mesh.faces) > 1000
        assert np.median(in_room(np.asarray(mesh.vertices), S_room_scene)) < 0.08
        assert len(np.unique(mesh.visual.vertex_colors[:, :3], axis=0)) > 100


@pytest.mark.parametrize("kind", ["txt", "bin"])
def test_the_sparse_model_in_pycolmap(made: Any, kind: str, tmp_path: Any) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    for path in (made.out / "colmap" / "sparse" / "0").glob(f"*.{kind}"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = pycolmap.Reconstruction(str(tmp_path))
    keyframes = read_tum(made.out / "keyframes.tum")
    assert model.num_reg_images() == len(keyframes)
    assert model.num_points3D() > 200
    assert model.compute_mean_track_length() >= 3
    model.update_point_3d_errors()
    assert 0 < model.compute_mean_reprojection_error() < 1.5
    stamps = sorted(keyframes)
    for image in model.images.values():
        assert (made.out / "images" / image.name).is_file()
        ours = [np.linalg.inv(keyframes[s])[:3] for s in stamps]
        theirs = image.cam_from_world().matrix()
        assert min(np.abs(theirs - one).max() for one in ours) < 1e-4
    assert next(iter(model.cameras.values())).model.name == "PINHOLE"


def test_transforms_for_nerfstudio(made: Any) -> None:
    told = json.loads((made.out / "transforms.json").read_text())
    assert (made.out / told["ply_file_path"]).is_file()
    keyframes = list(read_tum(made.out / "keyframes.tum").values())
    assert len(told["frames"]) == len(keyframes)
    for frame, T in zip(told["frames"], keyframes, strict=True):
        with Image.open(made.out / frame["file_path"]) as image:
            assert image.size == (frame["w"], frame["h"])
        M = np.array(frame["transform_matrix"])
        assert np.allclose(M[:3, 3], T[:3, 3], atol=1e-6)
        assert np.allclose(M[:3, 2], -T[:3, 2], atol=1e-6), "it looks along -z"
        assert np.allclose(M[:3, 1], -T[:3, 1], atol=1e-6), "with y up"


def test_depth_and_normals_of_every_frame(made: Any) -> None:
    values = json.loads((made.out / "depth" / "info.json").read_text())["png_values_per_unit"]
    lines = (made.out / "depth.txt").read_text().splitlines()
    assert len(lines) >= len(made.room) - 1
    worst = []
    for line in lines:
        stamp, name = line.split()
        index = round(float(stamp) * 10) - 1
        with Image.open(made.out / name) as image:
            assert image.mode.startswith("I")
            depth = np.asarray(image, np.float64) / values
        true = made.room.truth(index).depth
        assert depth.shape == true.shape
        with np.load((made.out / name).with_suffix(".npz")) as exact:
            assert np.abs(exact["depth"] - depth)[depth > 0].max() < 1 / values
        known = depth > 0
        worst.append(np.median(np.abs(depth[known] / true[known] - 1)))
    assert np.median(worst) < 0.05
    normals = sorted((made.out / "normals").glob("*.png"))
    assert len(normals) == len(lines)
    assert np.asarray(Image.open(normals[0])).shape == (112, 160, 3)


def test_the_bag_in_rosbags(made: Any) -> None:
    rosbags = pytest.importorskip("rosbags.highlevel")
    poses = read_tum(made.out / "trajectory.tum")
    keyframes = read_tum(made.out / "keyframes.tum")
    with rosbags.AnyReader([made.out / "bag"]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        assert counts["/dens3r/pose"] == counts["/tf"] == len(poses)
        assert counts["/image/compressed"] == counts["/dens3r/depth/image"] == len(keyframes)
        for connection, stamp, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            if connection.topic == "/dens3r/pose":
                at = message.pose.pose.position
                assert np.allclose((at.x, at.y, at.z), poses[stamp][:3, 3], atol=1e-6)
            elif connection.topic == "/dens3r/map_points":
                assert message.width > 5000 and len(message.data) == 16 * message.width
            elif connection.topic == "/dens3r/path":
                assert len(message.poses) == len(poses)


def test_the_map_is_one_that_the_node_loads(made: Any) -> None:
    from dens3r_ros.mapping.files.map_reading import read_map

    loaded = read_map(made.out / "scene.map")
    assert len(loaded.records) == len(made.room)
    placed = {r.stamp: r.placed(loaded.poses[r.keyframe_id]).T_map_camera for r in loaded.records}
    for stamp, T in read_tum(made.out / "trajectory.tum").items():
        assert np.allclose(placed[stamp], T, atol=1e-5)


def test_the_folder_in_the_browser(made: Any) -> None:
    pytest.importorskip("viser", reason="needs viser")
    from dens3r_ros.viewer.browser import Browser
    from dens3r_ros.viewer.content import read_content

    browser = Browser(read_content(made.out), port=0)
    try:
        told = made.finished.written.files["splats.ply"]
        assert f"{len(browser._splats.buffer)} splats" == told
        shown = browser._cloud.visible, browser._mesh.visible, browser._splats.visible
        assert shown == (True, False, False)
    finally:
        browser.close()


def test_nothing_but_results_is_left(made: Any) -> None:
    assert not (made.out / ".work").exists()
    for name in made.finished.written.files:
        for one in name.split(", "):
            assert (made.out / one).exists(), one
