# SPDX-License-Identifier: Apache-2.0
"""If these fail, composed poses are not poses: trajectories shear, shrink or jump."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dens3r_ros.geometry import sim3, tangents

repeatable = settings(max_examples=60, deadline=None, derandomize=True)

coordinate = st.floats(-5, 5)
vectors = st.tuples(coordinate, coordinate, coordinate)
magnitudes = st.one_of(
    st.floats(0, 3.0), st.sampled_from([0.0, 1e-12, 1e-8, 1e-4]), st.floats(1e-9, 1e-3)
)


@st.composite
def rotations_vectors(draw):
    axis = torch.tensor(draw(vectors), dtype=torch.float64)
    if axis.norm() < 1e-3:
        axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    return axis / axis.norm() * draw(magnitudes)


@st.composite
def tangent_vectors(draw):
    shift = torch.tensor(draw(vectors), dtype=torch.float64)
    log_scale = torch.tensor([draw(st.floats(-2, 2))], dtype=torch.float64)
    return torch.cat([shift, draw(rotations_vectors()), log_scale])


def exp(tangent):
    return torch.from_numpy(tangents.exp(tangent.numpy()))


transforms = tangent_vectors().map(exp)


def assert_same(a, b, tolerance=1e-9):
    scale = max(1.0, float(b.abs().max()))
    assert float((a - b).abs().max()) <= tolerance * scale


@repeatable
@given(transforms, transforms, transforms)
def test_composition_is_associative_and_closed(A, B, C):
    assert_same((A @ B) @ C, A @ (B @ C))
    scale, rotation, _ = sim3.split(A @ B)
    assert_same(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(rotation)) == pytest.approx(1.0)
    assert float(scale) == pytest.approx(float(sim3.scale_of(A) * sim3.scale_of(B)))


@repeatable
@given(transforms)
def test_inverse_and_identity(T):
    identity = torch.eye(4, dtype=torch.float64)
    assert_same(T @ sim3.inverse(T), identity)
    assert_same(sim3.inverse(T) @ T, identity)


def test_scale_multiplies_rotation_only():
    T = sim3.compose(2.0, torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))
    point = sim3.act(T, torch.tensor([[1.0, 1.0, 1.0]]))
    assert point.tolist() == [[3.0, 4.0, 5.0]]
    assert float(sim3.scale_of(T)) == 2.0
    assert sim3.act(sim3.without_scale(T), torch.ones(1, 3)).tolist() == [[2.0, 3.0, 4.0]]


@repeatable
@given(transforms)
def test_split_and_compose_are_each_others_inverse(T):
    assert_same(sim3.compose(*sim3.split(T)), T)


def test_act_batches_over_maps_and_keeps_the_type():
    T = torch.stack([exp(x) for x in torch.randn(2, 7, generator=torch.Generator().manual_seed(0))])
    points = torch.randn(2, 5, 6, 3)
    moved = sim3.act(T, points)
    assert moved.dtype == torch.float32 and moved.shape == points.shape
    for k in range(2):
        assert_same(moved[k], sim3.act(T[k], points[k]), 1e-6)
    shared = sim3.act(T, points[:1])
    assert_same(shared[1], sim3.act(T[1], points[0]), 1e-6)
    assert sim3.act(T[0], points[0, 0, 0]).shape == (3,)


@repeatable
@given(transforms, transforms, transforms)
def test_batches_equal_single_calls(A, B, C):
    T = torch.stack([A, B, C])
    assert_same(sim3.inverse(T)[0], sim3.inverse(A))
    assert_same(sim3.scale_of(T)[1], sim3.scale_of(B))
    assert_same(sim3.without_scale(T)[2], sim3.without_scale(C))
