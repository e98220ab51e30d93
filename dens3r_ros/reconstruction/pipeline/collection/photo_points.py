# SPDX-License-Identifier: Apache-2.0
"""A model's points as the scene of its photos has them: in its frame, coloured, on whole images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.outputs.scene import ScenePoints, in_world
from dens3r_ros.reconstruction.refinement.tracked_points import on_image
from dens3r_ros.reconstruction.sparse.models import Model
from dens3r_ros.reconstruction.sparse.tracks import PhotoTracks


def scene_points(
    tracks: PhotoTracks | None, model: Model, poses: Mapping[int, np.ndarray], files: KeyframeFiles
) -> ScenePoints | None:
    """The points; `poses` are the photos' in the scene, whose unit is the model's."""
    if tracks is None:
        return None
    first = model.photos[0]
    T_scene_world = poses[first] @ np.linalg.inv(model.T_world_camera[first])
    rgb = np.zeros((len(tracks.xyz), 3), np.uint8)
    pixels = np.zeros((len(tracks.pixels), 2))
    coloured = tracks.photo[tracks.owner]
    for photo in np.unique(tracks.photo).tolist():
        maps = files.read(photo)
        own = tracks.photo == photo
        pixels[own] = on_image(tracks.pixels[own], maps.placement)
        mine = np.flatnonzero(coloured == photo)
        x, y = np.rint(tracks.pixels[tracks.owner[mine]]).astype(int).T
        height, width = maps.colours.shape[:2]
        rgb[mine] = maps.colours[y.clip(0, height - 1), x.clip(0, width - 1)]
    xyz = in_world(tracks.xyz, T_scene_world)
    return ScenePoints(xyz, rgb, tracks.point, tracks.photo, pixels)
