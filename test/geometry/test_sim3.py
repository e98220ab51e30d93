# SPDX-License-Identifier: Apache-2.0
"""If these fail, composed poses are not poses: trajectories shear, shrink or jump."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dens3r_ros.geometry import sim3

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
def tangents(draw):
    shift = torch.tensor(draw(vectors), dtype=torch.float64)
    log_scale = torch.tensor([draw(st.floats(-2, 2))], dtype=torch.float64)
    return torch.cat([shift, draw(rotations_vectors()), log_scale])


transforms = tangents().map(sim3.sim3_exp)


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
    assert_same(T @ sim3.sim3_exp(torch.zeros(7)), T)


@repeatable
@given(tangents())
def test_log_undoes_exp(tangent):
    assert_same(sim3.sim3_log(sim3.sim3_exp(tangent)), tangent)


@repeatable
@given(transforms)
def test_exp_undoes_log(T):
    assert_same(sim3.sim3_exp(sim3.sim3_log(T)), T)


@repeatable
@given(vectors, rotations_vectors(), st.floats(0, 1e-6), st.booleans())
def test_exp_undoes_log_near_half_a_turn(shift, turn, gap, exact):
    axis = turn / turn.norm() if turn.norm() > 0 else torch.tensor([0.6, 0.0, 0.8]).double()
    turn = axis * (math.pi if exact else math.pi - gap)
    T = sim3.se3_exp(torch.cat([torch.tensor(shift, dtype=torch.float64), turn]))
    assert_same(sim3.se3_exp(sim3.se3_log(T)), T)
    assert float(sim3.se3_log(T)[3:].norm()) <= math.pi + 1e-9


@repeatable
@given(transforms, tangents())
def test_adjoint_moves_tangents_through(T, tangent):
    moved = sim3.adjoint(T) @ tangent
    assert_same(T @ sim3.sim3_exp(tangent) @ sim3.inverse(T), sim3.sim3_exp(moved), 1e-8)


@repeatable
@given(tangents(), tangents())
def test_rigid_transforms_are_a_subgroup(a, b):
    A, B = sim3.se3_exp(a[:6]), sim3.se3_exp(b[:6])
    assert float(sim3.scale_of(A @ sim3.inverse(B))) == pytest.approx(1.0)
    assert_same(sim3.se3_exp(sim3.se3_log(A)), A)
    moved = sim3.adjoint(A)[:6, :6] @ b[:6]
    assert_same(A @ B @ sim3.inverse(A), sim3.se3_exp(moved), 1e-8)


def test_exp_agrees_with_the_formula_of_a_screw():
    screw = torch.tensor([0.0, 0.0, 3.0, 0.0, 0.0, math.pi / 2], dtype=torch.float64)
    expected = torch.tensor(
        [[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 3], [0, 0, 0, 1]], dtype=torch.float64
    )
    assert_same(sim3.se3_exp(screw), expected, 1e-14)


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
    T = sim3.sim3_exp(torch.randn(2, 7, generator=torch.Generator().manual_seed(0)))
    points = torch.randn(2, 5, 6, 3)
    moved = sim3.act(T, points)
    assert moved.dtype == torch.float32 and moved.shape == points.shape
    for k in range(2):
        assert_same(moved[k], sim3.act(T[k], points[k]), 1e-6)
    shared = sim3.act(T, points[:1])
    assert_same(shared[1], sim3.act(T[1], points[0]), 1e-6)
    assert sim3.act(T[0], points[0, 0, 0]).shape == (3,)


@repeatable
@given(tangents(), tangents(), tangents())
def test_batches_equal_single_calls(a, b, c):
    batch = torch.stack([a, b, c])
    T = sim3.sim3_exp(batch)
    assert_same(sim3.sim3_log(T)[1], sim3.sim3_log(T[1]))
    assert_same(sim3.adjoint(T)[2], sim3.adjoint(T[2]))
    assert_same(sim3.inverse(T)[0], sim3.inverse(T[0]))
