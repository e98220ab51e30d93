# SPDX-License-Identifier: Apache-2.0
"""A saved map as Gaussian splats."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.archive.stored import Stored, whole_maps
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.splats.from_views import Progress, SplatOptions, splats_of_views
from dens3r_ros.splats.splats import Splats
from dens3r_ros.splats.view import PhotoView


def splats_of_map(
    loaded: LoadedMap,
    options: SplatOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> Splats:
    """Splats of a map's keyframes, in the frame `map` and the map's unit."""
    return splats_of_views(views_of_map(loaded), "map", loaded.info.metric, options, progress)


def views_of_map(loaded: LoadedMap) -> list[PhotoView]:
    """The keyframes as posed images with depth, at the size that the engine worked on."""
    return [_view(one.stored, loaded.poses[one.stored.id]) for one in loaded.keyframes]


def _view(stored: Stored, S_map_keyframe: np.ndarray) -> PhotoView:
    seen, scale = whole_maps(stored), np.float32(scale_of(S_map_keyframe))
    placed = stored.camera, rigid(S_map_keyframe)
    return PhotoView(seen.image, *placed, seen.depth * scale, seen.confidence, seen.moving)
