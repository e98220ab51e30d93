# SPDX-License-Identifier: Apache-2.0
"""A finished map as the scene that is written."""

from __future__ import annotations

from collections.abc import Callable

from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.tracking.cameras import at_input
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped
from dens3r_ros.reconstruction.outputs.scene import Scene, SceneKeyframe, SceneView


def scene_of(mapped: Mapped, files: KeyframeFiles, least_confidence: float) -> Scene:
    """The scene, whose maps stay on disk until they are asked for."""
    saved = mapped.saved
    keyframes = []
    for one in saved.keyframes:
        stored = one.stored
        S = saved.poses[stored.id]
        lens = mapped.intrinsics.get(stored.camera_name)
        if lens is None or (lens.height, lens.width) != stored.placement.original:
            lens = at_input(stored.camera, stored.placement)
        keyframes.append(
            SceneKeyframe(
                stored.id,
                stored.stamp,
                stored.camera_name,
                rigid(S),
                files.image(stored.id),
                lens,
                _reader(files, stored.id, scale_of(S)),
            )
        )
    partners = {(min(e.i, e.j), max(e.i, e.j)) for e in saved.edges if e.loop}
    return Scene(
        tuple(sorted(keyframes, key=lambda keyframe: keyframe.id)),
        tuple(mapped.trajectory()),
        saved.metric,
        saved.levelled_by,
        least_confidence,
        loops=tuple(sorted(partners)),
    )


def _reader(files: KeyframeFiles, keyframe_id: int, unit: float) -> Callable[[], SceneView]:
    def read() -> SceneView:
        maps = files.read(keyframe_id)
        depth = maps.depth * unit
        return SceneView(depth, maps.confidence, maps.colours, maps.camera, maps.moving)

    return read
