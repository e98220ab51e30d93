# SPDX-License-Identifier: Apache-2.0
"""If these fail, cameras are read from a network, or told to one, the wrong way."""

from __future__ import annotations

import math

import pytest
import torch
from published_views import ABSENT, FIXTURES, Published, arrays_of, error
from scipy.spatial.transform import Rotation

from dens3r_ros.network.multiview.camera_parts import Cameras, normalise_poses
from dens3r_ros.network.multiview.pose_encoding import (
    decode_intrinsics,
    decode_poses,
    encode_cameras,
    invert,
)
from dens3r_ros.network.multiview.ray_pose import cameras_from_rays

TOLERANCE = 1e-4
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


def tensor(name: str, key: str) -> torch.Tensor:
    return torch.from_numpy(arrays_of(name)[0][key])


def random_poses(count: int) -> torch.Tensor:
    poses = torch.eye(4).repeat(count, 1, 1)
    rotations = Rotation.random(count, random_state=1).as_matrix()
    poses[:, :3, :3] = torch.from_numpy(rotations)
    poses[:, :3, 3] = torch.randn(count, 3, generator=torch.Generator().manual_seed(2))
    return poses


@needs_fixtures
def test_published_encoding() -> None:
    height, width = tensor("vggt_small", "posecode/hw").tolist()
    poses = torch.eye(4).repeat(12, 1, 1)
    poses[:, :3] = tensor("vggt_small", "posecode/extrinsics")
    encoding = encode_cameras(poses, tensor("vggt_small", "posecode/intrinsics"), (height, width))
    expected = tensor("vggt_small", "posecode/encoding")
    assert error(encoding, expected) <= TOLERANCE
    back = decode_poses(expected)[:, :3], decode_intrinsics(expected, (height, width))
    assert error(back[0], tensor("vggt_small", "posecode/extrinsics_back")) <= TOLERANCE
    assert error(back[1], tensor("vggt_small", "posecode/intrinsics_back")) <= TOLERANCE


def test_encoding_is_undone_by_decoding() -> None:
    poses = random_poses(200)
    intrinsics = torch.tensor([[300.0, 0, 160], [0, 280, 120], [0, 0, 1]]).repeat(200, 1, 1)
    encoding = encode_cameras(poses, intrinsics, (240, 320))
    assert (encoding[:, 6] >= 0).all()
    assert encoding[0, 7].item() == pytest.approx(2 * math.atan(120 / 280))
    torch.testing.assert_close(decode_poses(encoding), poses, atol=1e-5, rtol=0)
    torch.testing.assert_close(decode_intrinsics(encoding, (240, 320)), intrinsics)
    longer = torch.cat((encoding[:, :3], 3 * encoding[:, 3:7], encoding[:, 7:]), dim=1)
    torch.testing.assert_close(decode_poses(longer), poses, atol=1e-5, rtol=0)


def test_half_turns_have_a_quaternion() -> None:
    for axis in torch.eye(3):
        poses = torch.eye(4)
        poses[:3, :3] = 2 * axis[:, None] * axis - torch.eye(3)
        encoding = encode_cameras(poses, torch.eye(3), (2, 2))
        torch.testing.assert_close(decode_poses(encoding), poses, atol=1e-6, rtol=0)


def test_inverse() -> None:
    poses = random_poses(5)
    torch.testing.assert_close(
        invert(poses) @ poses, torch.eye(4).expand(5, 4, 4), atol=1e-5, rtol=0
    )


@needs_fixtures
def test_published_conditioning() -> None:
    fixture = Published("da3_small")
    start = "case/views3_cond/"
    T_camera_world = fixture.array(f"{start}in_extrinsics")[None]
    cameras = Cameras(invert(T_camera_world), fixture.array(f"{start}in_intrinsics")[None])
    normalised = invert(normalise_poses(cameras.T_world_camera))
    assert error(normalised[0], fixture.array(f"{start}extrinsics_normalised")) <= TOLERANCE
    with torch.inference_mode():
        tokens = fixture.network.camera_encoder(cameras, (70, 84))
    assert error(tokens[0], fixture.array(f"{start}out/cam_token")) <= TOLERANCE


def test_conditioning_knows_no_world_and_no_unit() -> None:
    poses = random_poses(4)[None]
    elsewhere = random_poses(1) @ poses
    elsewhere[..., :3, 3] *= 5.0
    torch.testing.assert_close(
        normalise_poses(elsewhere), normalise_poses(poses), atol=1e-4, rtol=0
    )


@needs_fixtures
@pytest.mark.parametrize("case", ["exact", "noisy"])
def test_published_cameras_from_rays(case: str) -> None:
    start = f"raypose/{case}/"
    rays, confidence = tensor("da3_small", f"{start}ray"), tensor("da3_small", f"{start}ray_conf")
    samples = tensor("da3_small", f"{start}sample_idx")
    found = cameras_from_rays(rays, confidence, (2, 2), samples)
    assert error(found.T_world_camera, tensor("da3_small", f"{start}c2w")) <= TOLERANCE
    focal = found.intrinsics[:, [0, 1], [0, 1]]
    centre = found.intrinsics[:, :2, 2]
    assert error(focal, tensor("da3_small", f"{start}focal_half_units")) <= TOLERANCE
    assert error(centre, tensor("da3_small", f"{start}pp_half_units")) <= TOLERANCE


def true_rays(outliers: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rays of three cameras with a focal length of 1.2 and 1.5 half images."""
    poses = random_poses(3)
    y, x = torch.meshgrid(
        (2 * torch.arange(24.0) + 1) / 24 - 1, (2 * torch.arange(32.0) + 1) / 32 - 1, indexing="ij"
    )
    own = torch.stack((x / 1.2, y / 1.5, torch.ones_like(x)), dim=-1)
    directions = own @ poses[:, None, :3, :3].transpose(-1, -2)
    generator = torch.Generator().manual_seed(3)
    wrong = torch.rand(directions.shape[:-1], generator=generator) < outliers
    directions[wrong] = torch.randn(directions.shape, generator=generator)[wrong]
    origins = poses[:, None, None, :3, 3].expand_as(directions)
    return torch.cat((directions, origins), dim=-1), 1.0 + torch.rand(3, 24, 32), poses


@pytest.mark.parametrize("outliers", [0.0, 0.3])
def test_cameras_from_rays_by_themselves(outliers: float) -> None:
    rays, confidence, poses = true_rays(outliers)
    found = cameras_from_rays(rays, confidence, (100, 200))
    tolerance = 1e-4 if not outliers else 0.1
    torch.testing.assert_close(found.T_world_camera, poses, atol=tolerance, rtol=0)
    assert found.intrinsics[:, 0, 0].tolist() == pytest.approx([120.0] * 3, rel=tolerance)
    assert found.intrinsics[:, 1, 1].tolist() == pytest.approx([75.0] * 3, rel=tolerance)
    assert found.intrinsics[:, 0, 2].tolist() == pytest.approx([100.0] * 3, rel=tolerance)
