# SPDX-License-Identifier: Apache-2.0
"""Poses are joined, and loops believed or refused, by these: a wrong digit bends the map."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from dens3r_ros.geometry import tangents

repeatable = settings(max_examples=60, deadline=None, derandomize=True)

vectors = st.tuples(*[st.floats(-5, 5)] * 3).map(np.array)
magnitudes = st.one_of(
    st.floats(0, 3.0), st.sampled_from([0.0, 1e-12, 1e-8, 1e-4]), st.floats(1e-9, 1e-3)
)


def axis_of(vector):
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-3 else np.array([0.0, 0.0, 1.0])


@st.composite
def tangent_vectors(draw):
    turn = axis_of(draw(vectors)) * draw(magnitudes)
    return np.array([*draw(vectors), *turn, draw(st.floats(-2, 2))])


def generator(tangent):
    """(4, 4) matrix whose matrix exponential is the similarity."""
    x, y, z = tangent[3:6]
    upper = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) + tangent[6] * np.eye(3)
    return np.vstack((np.column_stack((upper, tangent[:3])), np.zeros(4)))


def assert_same(a, b, tolerance=1e-9):
    assert np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max())


@repeatable
@given(tangent_vectors())
def test_exp_is_the_matrix_exponential_and_log_undoes_it(tangent):
    S = tangents.exp(tangent)
    assert_same(S, expm(generator(tangent)))
    assert_same(tangents.log(S), tangent)


@repeatable
@given(vectors, vectors, st.floats(0, 1e-6), st.booleans())
def test_log_near_half_a_turn(shift, vector, gap, exact):
    turn = axis_of(vector) * (math.pi if exact else math.pi - gap)
    S = tangents.exp(np.array([*shift, *turn]))
    assert_same(tangents.exp(tangents.log(S)), S, 1e-8)
    assert np.linalg.norm(tangents.log(S)[3:6]) <= math.pi + 1e-9


@repeatable
@given(tangent_vectors(), tangent_vectors())
def test_adjoint_moves_tangents_through(a, b):
    S = tangents.exp(a)
    moved = tangents.adjoint(S) @ b
    assert_same(S @ tangents.exp(b) @ np.linalg.inv(S), tangents.exp(moved), 1e-8)


@pytest.mark.parametrize("scale", [0.0, 0.7])
def test_exp_agrees_with_the_formula_of_a_screw(scale):
    screw = np.array([0.0, 0.0, 3.0, 0.0, 0.0, math.pi / 2, scale])
    growth = np.exp(scale)
    along = 3 * (np.expm1(scale) / scale if scale else 1.0)
    expected = [[0, -growth, 0, 0], [growth, 0, 0, 0], [0, 0, growth, along], [0, 0, 0, 1]]
    assert_same(tangents.exp(screw), np.array(expected), 1e-14)


def test_a_tangent_without_scale_is_a_rigid_motion() -> None:
    tangent = np.array([0.1, -0.2, 0.3, 0.5, 0.4, -0.3])
    assert_same(tangents.exp(tangent), tangents.exp(np.append(tangent, 0.0)), 1e-15)


def test_a_turn_by_nearly_half_a_circle_comes_back() -> None:
    tangent = np.array([1.0, 2.0, -1.0, 0.0, 3.14, 0.0, 0.2])
    assert_same(tangents.log(tangents.exp(tangent)), tangent)
