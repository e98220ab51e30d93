# SPDX-License-Identifier: Apache-2.0
"""If these fail, offline refinement makes maps worse, or does not notice tracks that are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.refinement.bundle import (
    Bundle,
    BundleState,
    scaled,
    small_motion,
)
from dens3r_ros.reconstruction.refinement.consistency import agreement, confirmed
from dens3r_ros.reconstruction.refinement.depth import triangulated
from dens3r_ros.reconstruction.refinement.residuals import projected, rays_of
from dens3r_ros.reconstruction.refinement.sightings import Anchor

CAMERA = Intrinsics(150, 150, 79.5, 59.5, 160, 120)
KEYFRAMES = [(n, "camera") for n in range(4)]
SINGLE = [(10 + n, "camera") for n in range(4)]


def true_pose(n: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("yx", [4 * n, 2 * np.sin(n)], degrees=True).as_matrix()
    T[:3, 3] = 0.25 * n, 0.05 * np.sin(2 * n), 0.1 * n
    return T


def problem(wrong: float = 0.0, noise: float = 0.2, seed: int = 0) -> tuple[Any, BundleState]:
    """Anchors with tracks of given noise in pixels, a share of them wrong; the true state."""
    rng = np.random.default_rng(seed)
    poses = {key: true_pose(key[0]) for key in KEYFRAMES}
    poses |= {key: true_pose(key[0] - 9.5) for key in SINGLE}
    anchors, inverse = [], []
    for n, key in enumerate(KEYFRAMES):
        pixels = rng.uniform((10, 10), (150, 110), (120, 2))
        depth = rng.uniform(1.5, 4, 120)
        frames = [other for other in KEYFRAMES if other != key] + [SINGLE[n]]
        local = rays_of(pixels, CAMERA) * depth[:, None]
        world = local @ poses[key][:3, :3].T + poses[key][:3, 3]
        seen = []
        for frame in frames:
            T = np.linalg.inv(poses[frame])
            there = world @ T[:3, :3].T + T[:3, 3]
            at = 150 * there[:, :2] / there[:, 2:] + (79.5, 59.5)
            at = at + rng.normal(0, noise, at.shape)
            at[rng.random(len(at)) < wrong] += rng.normal(0, 15, 2)
            seen.append(at)
        weights = np.full((len(frames), 120), 4.0, np.float32)
        anchor = Anchor(key, n, CAMERA, np.arange(120), pixels, 1 / depth, frames)
        anchor.seen, anchor.weights = np.array(seen, np.float32), weights
        anchors.append(anchor)
        inverse.append(1 / depth)
    return anchors, BundleState(poses, inverse)


def disturbed(state: BundleState, seed: int = 1) -> BundleState:
    rng = np.random.default_rng(seed)
    poses = {
        key: T if key == KEYFRAMES[0] else T @ small_motion(rng.normal(0, [0.03] * 3 + [0.01] * 3))
        for key, T in state.poses.items()
    }
    inverse = [one * np.exp(rng.normal(0, 0.05, len(one))) for one in state.inverse]
    return BundleState(poses, inverse)


def misses(found: BundleState, true: BundleState) -> tuple[float, float]:
    """Largest errors of position, once the free scale is taken out, and of rotation in radians."""
    ours, theirs = (
        np.array([one.poses[key][:3, 3] for key in true.poses]) for one in (found, true)
    )
    scale = (ours * theirs).sum() / (ours**2).sum()
    turns = [
        Rotation.from_matrix(found.poses[key][:3, :3].T @ true.poses[key][:3, :3]).magnitude()
        for key in true.poses
    ]
    return float(np.linalg.norm(scale * ours - theirs, axis=1).max()), float(max(turns))


def test_poses_and_depth_are_found_from_tracks() -> None:
    anchors, true = problem()
    start = disturbed(true)
    for anchor, inverse in zip(anchors, start.inverse, strict=True):
        anchor.inverse = inverse
    found, report = Bundle(anchors, KEYFRAMES, 0.0).solve(start, most_steps=20)
    before, after = misses(start, true), misses(found, true)
    assert report.after < 0.1 * report.before
    assert after[0] < 0.15 * before[0] and after[0] < 0.01
    assert after[1] < 0.15 * before[1] and after[1] < 0.003
    assert found.focal == pytest.approx(1.0, abs=1e-6), "a lens that is known is kept"


def test_wrong_tracks_are_let_go() -> None:
    anchors, true = problem(wrong=0.15)
    found, _ = Bundle(anchors, KEYFRAMES, 0.0).solve(disturbed(true), most_steps=20)
    assert misses(found, true)[0] < 0.02


def test_halves_of_a_path_that_hang_together_loosely_find_each_other() -> None:
    anchors, true = problem()
    late = {*KEYFRAMES[2:], *SINGLE[2:]}
    for anchor in anchors:
        across = [(anchor.key in late) != (frame in late) for frame in anchor.frames]
        anchor.weights[across] *= 1e-6
    shift = small_motion(np.array([0.15, 0, 0, 0, 0, 0]))
    poses = {key: shift @ T if key in late else T for key, T in true.poses.items()}
    start = BundleState(poses, list(true.inverse))
    found, _ = Bundle(anchors, KEYFRAMES, 0.0).solve(start, most_steps=20)
    assert misses(start, true)[0] > 0.05 and misses(found, true)[0] < 0.02


def test_a_lens_that_was_guessed_is_found() -> None:
    anchors, true = problem(noise=0.05)
    for anchor in anchors:
        anchor.camera = scaled(CAMERA, 1.06)
    found, _ = Bundle(anchors, KEYFRAMES, 0.1).solve(disturbed(true), most_steps=40)
    assert found.focal == pytest.approx(1 / 1.06, rel=0.015)


def test_many_keyframes_are_solved_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from dens3r_ros.reconstruction.refinement import bundle

    anchors, true = problem()
    full, _ = Bundle(anchors, KEYFRAMES, 0.0).solve(disturbed(true), most_steps=3)
    monkeypatch.setattr(bundle, "_DENSE", 0)
    sparse, _ = Bundle(anchors, KEYFRAMES, 0.0).solve(disturbed(true), most_steps=3)
    for key in full.poses:
        assert np.allclose(full.poses[key], sparse.poses[key], atol=1e-6)


def test_derivatives_are_those_of_the_errors() -> None:
    anchors, true = problem()
    anchor, q = anchors[1], true.inverse[1]
    rays = rays_of(anchor.pixels, CAMERA)

    def off(x: np.ndarray, s: float = 0.0, dq: float = 0.0) -> np.ndarray:
        keyframe = true.poses[anchor.key] @ small_motion(x[:6])
        T = np.stack([np.linalg.inv(true.poses[f] @ small_motion(x[6:])) for f in anchor.frames])
        lens = scaled(CAMERA, np.exp(s))
        return projected(rays_of(anchor.pixels, lens), q + dq, T @ keyframe, anchor.seen, lens).off

    T = np.stack([np.linalg.inv(true.poses[f]) for f in anchor.frames]) @ true.poses[anchor.key]
    found = projected(rays, q, T, anchor.seen, CAMERA)
    e = 1e-6
    for n in range(6):
        x = np.zeros(12)
        x[n] = e
        assert np.allclose((off(x) - off(-x)) / (2 * e), found.by_keyframe[..., n], atol=1e-3)
        x = np.zeros(12)
        x[6 + n] = e
        assert np.allclose((off(x) - off(-x)) / (2 * e), found.by_frame[..., n], atol=1e-3)
    none = np.zeros(12)
    lens = (off(none, e) - off(none, -e)) / (2 * e)
    assert np.allclose(lens, found.by_focal, atol=1e-3)
    deep = (off(none, 0, e) - off(none, 0, -e)) / (2 * e)
    assert np.allclose(deep, found.by_inverse, atol=1e-3)


def test_depth_is_triangulated_from_all_frames_and_unknown_without_parallax() -> None:
    anchors, true = problem(wrong=0.1)
    anchor = anchors[0]
    T = np.stack([np.linalg.inv(true.poses[f]) for f in anchor.frames]) @ true.poses[anchor.key]
    pixels, seen = anchor.pixels.reshape(12, 10, 2), anchor.seen.reshape(-1, 12, 10, 2)
    weights = anchor.weights.reshape(-1, 12, 10)
    found = triangulated(pixels, np.zeros((12, 10)), T, seen, weights, CAMERA)
    known = found.inverse > 0
    assert known.mean() > 0.9
    off = np.abs(found.inverse.ravel() / true.inverse[0] - 1)[known.ravel()]
    assert np.median(off) < 0.02
    still = np.repeat(np.eye(4)[None], len(T), 0)
    resting = np.repeat(pixels[None], len(T), 0)
    nothing = triangulated(pixels, np.zeros((12, 10)), still, resting, weights, CAMERA)
    assert not (nothing.inverse > 0).any()


def test_points_that_others_see_elsewhere_go() -> None:
    camera = replace(CAMERA, width=8, height=6, fx=8, fy=8, cx=3.5, cy=2.5)
    y, x = np.mgrid[:6, :8]
    rays = np.stack(((x - 3.5) / 8, (y - 2.5) / 8, np.ones((6, 8))), -1).astype(np.float32)
    depth = np.full((6, 8), 2.0, np.float32)
    points = rays * depth[..., None]
    points[2, 3] *= 1.1
    agree, looking = agreement(points, [np.eye(4)] * 3, [(depth, camera)] * 3)
    stays = confirmed(agree, looking)
    assert not stays[2, 3] and stays.sum() == stays.size - 1
    behind = np.diag([1.0, -1, -1, 1])
    agree, looking = agreement(points, [behind], [(depth, camera)])
    assert not agree.any() and not looking.any() and not confirmed(agree, looking).any()
