# SPDX-License-Identifier: Apache-2.0
"""A scene as Gaussian splats: its keyframes' pixels as discs on the surfaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.splats import files
from dens3r_ros.splats.from_views import SplatOptions, splats_of_views
from dens3r_ros.splats.view import PhotoView


def write_splats(path: Path, scene: Scene, progress: Callable[[int, int], None]) -> int:
    """Write splats of what the keyframes are sure of, in the scene's frame and unit; how many."""
    views = [
        PhotoView(
            view.colours,
            view.camera,
            one.T_world_camera,
            view.depth,
            view.confidence,
            view.moving,
        )
        for one, view in scene.views()
    ]
    options = SplatOptions(min_confidence=scene.least_confidence)
    splats = splats_of_views(views, "map", scene.metric, options, progress)
    files.write_splats(path, splats)
    return len(splats)
