# SPDX-License-Identifier: Apache-2.0
"""Without these whoever has a recorded visual-inertial sequence evaluates it with wrong poses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources import SourceError, open_source
from dens3r_ros.sources.euroc import EurocSequence

T_BODY_CAMERA = np.eye(4)
T_BODY_CAMERA[:3, :3] = Rotation.from_euler("xyz", (-90, 0, -90), degrees=True).as_matrix()
T_BODY_CAMERA[:3, 3] = 0.1, 0.02, -0.03
D = {"radial-tangential": [-0.28, 0.07, 2e-4, 1e-5], "equidistant": [0.003, 7e-4, -0.002, 2e-4]}
K = Intrinsics(90.0, 90.0, 79.5, 59.5, 160, 120)


def matrix(T: np.ndarray) -> str:
    return f"T_BS:\n  cols: 4\n  rows: 4\n  data: {T.ravel().tolist()}\n"


def distorted(model: str, rays: np.ndarray) -> np.ndarray:
    """(N, 2) pixels at which a lens shows rays (N, 2) of z = 1."""
    points = np.concatenate((rays, np.ones((len(rays), 1))), 1)[:, None]
    zero, coefficients = np.zeros(3), np.array(D[model])
    if model == "equidistant":
        return cv2.fisheye.projectPoints(points, zero, zero, K.K, coefficients)[0][:, 0]
    return cv2.projectPoints(points, zero, zero, K.K, coefficients)[0][:, 0]


def euroc(
    folder: Path, model: str = "radial-tangential", truth: str = "state_groundtruth_estimate0"
) -> Path:
    mav = folder / "mav0"
    for name in ("cam0/data", "imu0", truth):
        (mav / name).mkdir(parents=True)
    image = np.zeros((120, 160), np.uint8)
    x, y = distorted(model, np.array([[0.4, 0.3]]))[0]
    cv2.circle(image, (round(x), round(y)), 2, 255, -1)
    Image.fromarray(image).save(mav / "cam0/data/100.png")
    (mav / "cam0/data.csv").write_text("#timestamp [ns],filename\n1500000100,100.png\r\n")
    (mav / "cam0/sensor.yaml").write_text(
        "%YAML:1.0\nsensor_type: camera\n"
        + matrix(T_BODY_CAMERA)
        + "rate_hz: 20\nresolution: [160, 120]\ncamera_model: pinhole\n"
        + "intrinsics: [90.0, 90.0, 79.5, 59.5] #fu, fv, cu, cv\n"
        + f"distortion_model: {model}\ndistortion_coefficients: {D[model]}\n"
    )
    (mav / "imu0/data.csv").write_text(
        "#timestamp [ns],w_x,w_y,w_z,a_x,a_y,a_z\n1500000000,0.1,0.2,0.3,1,2,9.8\n"
        "1505000000,0.1,0.2,0.3,1,2,9.7\n"
    )
    (mav / "imu0/sensor.yaml").write_text(
        matrix(np.eye(4))
        + "gyroscope_noise_density: 1.6968e-04\ngyroscope_random_walk: 1.9393e-05\n"
        + "accelerometer_noise_density: 2.0e-3\naccelerometer_random_walk: 3.0e-3\n"
    )
    (mav / truth / "data.csv").write_text(
        "#timestamp, p_x, p_y, p_z, q_w, q_x, q_y, q_z\n"
        "1500000000,1,2,3,1,0,0,0\n1500000200,3,2,3,0.7071067811865476,0,0,0.7071067811865476\n"
    )
    return folder


def test_poses_are_the_cameras_between_those_listed(tmp_path):
    source = open_source(euroc(tmp_path))
    assert isinstance(source, EurocSequence)
    assert source[0].stamp == 1500000100
    turn = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = turn, (2, 2, 3)
    assert np.allclose(source.truth(0).T_world_camera, T @ T_BODY_CAMERA)
    assert np.isnan(source.truth(0).depth).all()


@pytest.mark.parametrize("model", D)
def test_images_are_undistorted_to_their_intrinsics(tmp_path, model):
    frame = open_source(euroc(tmp_path, model))[0]
    rows, columns = np.nonzero(frame.image[..., 0] > 100)
    assert frame.intrinsics == K
    assert columns.mean() == pytest.approx(79.5 + 90 * 0.4, abs=1.5)
    assert rows.mean() == pytest.approx(59.5 + 90 * 0.3, abs=1.5)


def test_the_inertial_sensor_comes_with_its_place_and_noise(tmp_path):
    imu = open_source(euroc(tmp_path)).imu
    assert imu.readings.stamps.tolist() == [1500000000, 1505000000]
    assert imu.readings.force[1].tolist() == [1, 2, 9.7]
    assert np.allclose(imu.T_camera_imu, np.linalg.inv(T_BODY_CAMERA))
    assert imu.noise.turn_density == 1.6968e-04
    assert imu.noise.force_walk == 3e-3


def test_a_folder_of_tum_vi_reads_as_well(tmp_path):
    source = open_source(euroc(tmp_path, "equidistant", "mocap0"))
    assert source.truth(0) is not None


def test_what_is_missing_is_named(tmp_path):
    folder = euroc(tmp_path)
    (folder / "mav0/cam0/sensor.yaml").write_text("camera_model: omni\n")
    with pytest.raises(SourceError, match="omni"):
        open_source(folder)
    (folder / "mav0/cam0/data.csv").write_text("1500000100\n")
    with pytest.raises(SourceError, match=r"data\.csv: 2 fields"):
        EurocSequence(_calibrated(folder))


def _calibrated(folder: Path) -> Path:
    (folder / "mav0/cam0/sensor.yaml").write_text(
        matrix(np.eye(4)) + "intrinsics: [9, 9, 4, 3]\nresolution: [8, 6]\n"
    )
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("imu0/data.csv", "0.1", "nan", "is none"),
        ("imu0/data.csv", "0.1", "left", "could not convert"),
        (
            "imu0/sensor.yaml",
            "gyroscope_noise_density: ",
            "gyroscope_noise_density: very ",
            "number",
        ),
        ("cam0/sensor.yaml", "resolution: [160, 120]", "resolution: [80, 60]", "pixels"),
        (
            "cam0/sensor.yaml",
            f"data: {T_BODY_CAMERA.ravel().tolist()[:1]}"[:-1],
            "data: [7.0",
            "axes",
        ),
    ],
)
def test_a_wrong_table_or_calibration_is_told(
    tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    """A recording would be mapped by nonsense, or end in a stack of calls."""
    mav = euroc(tmp_path / "seq") / "mav0"
    text = (mav / file).read_text()
    assert old in text
    (mav / file).write_text(text.replace(old, new, 1))
    with pytest.raises(SourceError, match=told):
        EurocSequence(tmp_path / "seq")[0]


def test_lines_that_are_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    mav = euroc(tmp_path / "seq") / "mav0"
    lines = (mav / "imu0/data.csv").read_text().splitlines()
    (mav / "imu0/data.csv").write_text("\n".join((lines[0], lines[2], lines[1])))
    imu = EurocSequence(tmp_path / "seq").imu
    assert imu is not None and (np.diff(imu.readings.stamps) > 0).all()
