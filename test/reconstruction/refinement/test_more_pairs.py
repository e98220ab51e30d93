# SPDX-License-Identifier: Apache-2.0
"""If these fail, drift that earlier keyframes could take out stays in every reconstruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dens3r_ros.engines.geometric.engine import GeometricEngine
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.pair_tracks import TrackStore
from dens3r_ros.reconstruction.refinement.bundle import BundleState
from dens3r_ros.reconstruction.refinement.more_pairs import compare, unmet_pairs
from dens3r_ros.reconstruction.refinement.sightings import Anchor

CAMERA = Intrinsics(150, 150, 79.5, 59.5, 160, 120)


def standing(names: list[str], poses: list[np.ndarray]) -> tuple[list[Anchor], BundleState]:
    """An anchor at each pose, which sees a wall of points 2 m away."""
    x, y = np.meshgrid(np.arange(8, 160, 16.0), np.arange(8, 120, 16.0))
    pixels = np.stack((x, y), -1).reshape(-1, 2)
    keys = [(n, name) for n, name in enumerate(names)]
    inverse = [np.full(len(pixels), 0.5) for _ in keys]
    anchors = [
        Anchor(key, n, CAMERA, np.arange(len(pixels)), pixels, inverse[n])
        for n, key in enumerate(keys)
    ]
    return anchors, BundleState(dict(zip(keys, poses, strict=True)), inverse)


def test_keyframes_that_share_a_view_are_paired_once(camera_pose: Any) -> None:
    poses = [camera_pose(x, 0, 0, turn) for x, turn in ((0, 0), (0.2, 0), (0.4, 0), (0.4, 120))]
    anchors, state = standing(["left", "left", "left", "left"], poses)
    known = {((1, "left"), (0, "left"))}
    found = {frozenset((a[0], b[0])) for a, b in unmet_pairs(anchors, state, known)}
    assert found == {frozenset((0, 2)), frozenset((1, 2))}
    assert len(unmet_pairs(anchors, state, known)) == 2, "each pair one way round"


def test_keyframes_of_two_cameras_are_not_compared(camera_pose: Any) -> None:
    anchors, state = standing(["left", "right"], [camera_pose(0, 0, 0), camera_pose(0.2, 0, 0)])
    assert not unmet_pairs(anchors, state, set())


def test_what_was_compared_is_kept_with_the_other_tracks(
    box_room: Any, camera_pose: Any, tmp_path: Path
) -> None:
    room = box_room(np.array([camera_pose(0.15 * n, 0, 0) for n in range(3)]))
    files, store = KeyframeFiles(tmp_path / "images", tmp_path / "maps"), TrackStore(tmp_path / "t")
    frames = [room[n] for n in range(3)]
    for n, frame in enumerate(frames):
        cv2.imwrite(str(files.image(n)), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    keys = {(frame.stamp, frame.camera): n for n, frame in enumerate(frames)}
    a, b, c = keys
    lenses = {frames[0].camera: frames[0].intrinsics}
    compare(
        [(a, b), (a, c)],
        GeometricEngine(),
        store,
        files,
        keys,
        lenses,
        lambda done, whole: done < 1,
    )
    assert set(store.places()) == {(a, b)}, "it stops when it is told to"
    tracks = store.read((a, b), store.places()[a, b])
    assert tracks.measured and (tracks.spread > 0).mean() > 0.3
