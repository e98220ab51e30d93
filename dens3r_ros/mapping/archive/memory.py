# SPDX-License-Identifier: Apache-2.0
"""The most memory that a map takes, stated beforehand."""

from __future__ import annotations

from dens3r_ros.mapping.archive.archive import archive_bytes
from dens3r_ros.mapping.archive.merging import EDGES_PER_KEYFRAME
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.history.records import CHUNK, RECORD_BYTES
from dens3r_ros.mapping.tracking.cameras import CAMERAS

_NODE_BYTES = 1024
_EDGE_BYTES = 1200
"""Of Python's graph; the solver's process holds some half of that again."""
_PIXEL_BYTES = 21
"""Of a live keyframe, a pixel of its maps: points, weight, and image twice over."""
_RAY_BYTES = 12
"""Of a camera, a pixel of its maps."""
_TRACKS_BYTES = 8 * 80
"""Of a live keyframe, a sampled pixel of its maps: the frames it was tracked by."""


def graph_bytes(keyframes: int) -> int:
    """Most bytes of the poses of so many keyframes and the edges between them."""
    return keyframes * (_NODE_BYTES + EDGES_PER_KEYFRAME * _EDGE_BYTES)


def window_bytes(config: MapperConfig, image: tuple[int, int], maps: tuple[int, int]) -> int:
    """Most bytes of the keyframes that are live, without the engine's own features."""
    pixels = maps[0] * maps[1]
    samples = pixels // config.tracking.stride**2
    one = _PIXEL_BYTES * pixels + 3 * image[0] * image[1] + _TRACKS_BYTES * samples
    return config.window.keyframes * one + CAMERAS * _RAY_BYTES * pixels


def map_bytes(
    config: MapperConfig, frames: int, image: tuple[int, int], maps: tuple[int, int]
) -> int:
    """Most bytes of a map at its limits, after so many frames, without the engine's own features.

    `image` and `maps` are the (height, width) of the camera's images and of the engine's maps.
    Everything is bounded but a few dozen bytes a frame, which hold its pose.
    """
    keyframes = config.archive.keyframes + config.window.keyframes
    return (
        archive_bytes(keyframes, image, maps)
        + window_bytes(config, image, maps)
        + graph_bytes(keyframes)
        + RECORD_BYTES * (frames + CHUNK)
    )
