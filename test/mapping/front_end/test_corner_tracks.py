# SPDX-License-Identifier: Apache-2.0
"""If these fail, a camera that turns to where nothing was decoded yet is lost till then."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.front_end.corners.corner_tracks import CornerTracks, OwnSights
from dens3r_ros.mapping.tracking.cameras import rays_at


@pytest.fixture(scope="module")
def sidestep(box_room, camera_pose):
    """A camera that goes sideways in small steps."""
    return box_room(np.array([camera_pose(0.06 * n, 0, -2, 0) for n in range(8)]), (168, 240))


def followed(source, tracks: CornerTracks) -> OwnSights:
    """What is known at the last image."""
    camera = source[0].intrinsics
    first = np.linalg.inv(source.truth(0).T_world_camera)
    for n in range(len(source)):
        T = first @ source.truth(n).T_world_camera
        grey = cv_grey(source[n].image)
        found = tracks.follow(grey, camera, T)
        sights = tracks.sights(found, camera)
        tracks.stand(found, camera, T, sure=True)
    return sights


def cv_grey(image: np.ndarray) -> np.ndarray:
    return np.rint(image.astype(np.float32) @ (0.299, 0.587, 0.114)).astype(np.uint8)


def distances(source, sights: OwnSights) -> tuple[np.ndarray, np.ndarray]:
    """From the last image, found and true."""
    last = len(source) - 1
    T_last_first = np.linalg.inv(source.truth(last).T_world_camera) @ source.truth(0).T_world_camera
    here = sights.points @ T_last_first[:3, :3].T + T_last_first[:3, 3]
    x, y = np.rint(sights.pixels).astype(int).T
    return here[:, 2], source.truth(last).depth[y, x]


def test_corners_are_where_the_way_of_the_camera_says(sidestep) -> None:
    sights = followed(sidestep, CornerTracks())
    assert len(sights.points) > 20
    found, true = distances(sidestep, sights)
    assert np.median(np.abs(found / true - 1)) < 0.03


def test_they_stay_there_when_the_keyframe_changes(sidestep) -> None:
    tracks = CornerTracks()
    before = followed(sidestep, tracks)
    S = tangents.exp(np.array([0.3, -0.2, 0.5, 0.1, 0.4, -0.2]))
    S[:3, :3] *= 1.7
    tracks.rebase(S)
    camera, last = sidestep[0].intrinsics, sidestep[len(sidestep) - 1]
    T = np.linalg.inv(sidestep.truth(0).T_world_camera) @ sidestep.truth(7).T_world_camera
    moved = S @ T
    moved[:3, :3] /= 1.7
    after = tracks.sights(tracks.follow(cv_grey(last.image), camera, moved), camera)
    assert len(after.points) >= 0.8 * len(before.points)
    rays = rays_at(after.pixels, camera) @ moved[:3, :3].T
    off = after.points - moved[:3, 3]
    angles = np.linalg.norm(np.cross(rays, off), axis=1) / np.linalg.norm(off, axis=1)
    assert np.median(angles) < 2 / camera.fx


def test_a_view_that_only_turns_tells_no_places(box_room, camera_pose) -> None:
    turning = box_room(np.array([camera_pose(0, 0, -2, 2.0 * n) for n in range(6)]), (168, 240))
    tracks = CornerTracks()
    assert not len(followed(turning, tracks).points)
    assert len(tracks) > 20, "they are followed all the same"
