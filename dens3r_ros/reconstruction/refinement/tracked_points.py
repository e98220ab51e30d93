# SPDX-License-Identifier: Apache-2.0
"""Points of the bundle that several keyframes see, as programs of sparse reconstruction have
them."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.outputs.scene import ScenePoints
from dens3r_ros.reconstruction.refinement.bundle import BundleState, scaled
from dens3r_ros.reconstruction.refinement.residuals import errors, rays_of
from dens3r_ros.reconstruction.refinement.sightings import Anchor, Neighbourhood

_AGREE = 3.0
"""Expected errors up to which a sighting is one of the point."""
_FEWEST = 2
"""Other keyframes that must see a point."""


def tracked_points(
    anchors: list[Anchor], state: BundleState, around: Neighbourhood, files: KeyframeFiles
) -> ScenePoints | None:
    """Points with their sightings in keyframes; None where there are none."""
    xyz, rgb, point, keyframe, pixels = [], [], [], [], []
    count = 0
    for number, anchor in enumerate(anchors):
        others = [f for f, key in enumerate(anchor.frames) if key in around.keyframes]
        if not others:
            continue
        camera = scaled(anchor.camera, state.focal)
        rays, inverse = rays_of(anchor.pixels, camera), state.inverse[number]
        T = [np.linalg.inv(state.poses[anchor.frames[f]]) for f in others]
        relative = np.stack(T) @ state.poses[anchor.key]
        seen, weights = anchor.seen[others], anchor.weights[others]
        off, _, ahead = errors(rays, inverse, relative, seen, camera)
        agree = ahead & (weights > 0) & (weights * (off**2).sum(-1) < _AGREE**2)
        good = agree.sum(0) >= _FEWEST
        maps = files.read(anchor.keyframe_id)
        numbers = np.cumsum(good) - 1 + count
        world = state.poses[anchor.key]
        local = rays[good] / inverse[good, None]
        xyz.append(local @ world[:3, :3].T + world[:3, 3])
        x, y = anchor.pixels[good].astype(int).T
        rgb.append(maps.colours[y, x])
        point.append(numbers[good])
        keyframe.append(np.full(int(good.sum()), anchor.keyframe_id))
        pixels.append(on_image(anchor.pixels[good], maps.placement))
        for f, sees in zip(others, agree & good, strict=True):
            point.append(numbers[sees])
            keyframe.append(np.full(int(sees.sum()), around.keyframes[anchor.frames[f]]))
            pixels.append(on_image(anchor.seen[f][sees], maps.placement))
        count += int(good.sum())
    if not count:
        return None
    columns = (xyz, rgb, point, keyframe, pixels)
    return ScenePoints(*(np.concatenate(column) for column in columns))


def on_image(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    """(N, 2) the engine's pixels on the whole image."""
    height, width = placement.original
    rows, columns = placement.resized
    x = (pixels[:, 0] + placement.left + 0.5) * width / columns - 0.5
    y = (pixels[:, 1] + placement.top + 0.5) * height / rows - 0.5
    return np.stack((x, y), 1)
