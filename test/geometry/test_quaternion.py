# SPDX-License-Identifier: Apache-2.0
"""If these fail, every published pose is turned the wrong way."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.quaternion import quaternion_from_rotation, rotation_from_quaternion

quaternions = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .map(lambda q: torch.tensor(q, dtype=torch.float64))
    .filter(lambda q: float(q.norm()) > 1e-3)
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(quaternions)
def test_agrees_with_scipy_and_comes_back(quaternion):
    rotation = rotation_from_quaternion(quaternion)
    expected = torch.from_numpy(Rotation.from_quat(quaternion.numpy()).as_matrix())
    assert torch.allclose(rotation, expected, atol=1e-12)
    back = quaternion_from_rotation(rotation)
    assert float(back[3]) >= 0 and abs(float(back.norm()) - 1) < 1e-12
    assert torch.allclose(rotation_from_quaternion(back), rotation, atol=1e-12)


def test_half_turns_keep_all_digits():
    generator = torch.Generator().manual_seed(1)
    axes = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator).double(), dim=-1)
    gaps = torch.logspace(-16, -3, 200, dtype=torch.float64)[:, None]
    half = (math.pi - gaps) / 2
    quaternion = torch.cat([axes * half.sin(), half.cos()], -1)
    back = quaternion_from_rotation(rotation_from_quaternion(quaternion))
    aligned = back * (back * quaternion).sum(-1, keepdim=True).sign()
    assert float((aligned - quaternion).abs().max()) < 1e-14


def test_float32_input_is_normalised_in_float64():
    rotation = rotation_from_quaternion(torch.tensor([0.1, 0.2, 0.3, 0.9]))
    error = rotation @ rotation.mT - torch.eye(3, dtype=torch.float64)
    assert rotation.dtype == torch.float64 and float(error.abs().max()) < 1e-15
