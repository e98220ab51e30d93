# SPDX-License-Identifier: Apache-2.0
"""The second fusion: every keyframe's depth anew from all that see it, and only what others
confirm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, KeyframeMaps
from dens3r_ros.reconstruction.kept.pair_tracks import (
    ImageKey,
    TrackStore,
    sample_pixels,
    sampled,
)
from dens3r_ros.reconstruction.refinement.bundle import scaled
from dens3r_ros.reconstruction.refinement.consistency import (
    Remembering,
    agreement,
    averaged,
    confirmed,
    nearest_keyframes,
)
from dens3r_ros.reconstruction.refinement.depth import corrected, triangulated
from dens3r_ros.reconstruction.refinement.sightings import Anchor, landing

Tell = Callable[[int, int], None]


def fuse_again(
    anchor: Anchor,
    poses: Mapping[ImageKey, np.ndarray],
    focal: float,
    maps: KeyframeMaps,
    unit: float,
) -> tuple[KeyframeMaps, float]:
    """A keyframe's maps from all that see it at their final `poses`, in the keyframe's unit; and
    the length of that in the scene's, which was `unit`."""
    camera = scaled(anchor.camera, focal)
    pairs = [
        landing(TrackStore.read((frame, anchor.key), place))
        for frame, place in zip(anchor.frames, anchor.places, strict=True)
    ]
    T = np.stack([np.linalg.inv(poses[f]) @ poses[anchor.key] for f in anchor.frames])
    shape = pairs[0][0].shape[:2]
    depth = sampled(maps.depth)[: shape[0], : shape[1]] * np.float64(unit)
    expected = np.where(depth > 0, 1 / np.maximum(depth, 1e-9), 0)
    found = triangulated(
        sample_pixels(shape),
        expected,
        T,
        np.stack([pixels for pixels, _ in pairs]),
        np.stack([weights for _, weights in pairs]),
        camera,
    )
    better, confidence = corrected(maps.depth * np.float32(unit), maps.confidence, found)
    both = (better > 0) & (maps.depth > 0)
    new_unit = float(np.median(better[both] / maps.depth[both])) if both.any() else unit
    better = (better / np.float32(new_unit)).astype(np.float32)
    confidence = confidence.astype(np.float32)
    return replace(maps, depth=better, confidence=confidence, camera=camera), new_unit


def keep_confirmed(
    keyframe_ids: Sequence[int],
    T_world_camera: np.ndarray,
    units: Mapping[int, float],
    files: KeyframeFiles,
    tell: Tell,
) -> float:
    """Average every keyframe's depth with what others see of the same surface, and leave of it
    what they then confirm; the share that stayed."""

    def read(number: int) -> tuple[np.ndarray, Intrinsics]:
        maps = files.read(keyframe_ids[number])
        return maps.depth * np.float32(units[keyframe_ids[number]]), maps.camera

    depths = Remembering(read)
    some = [depths(n)[0] for n in range(0, len(keyframe_ids), max(1, len(keyframe_ids) // 20))]
    known = np.concatenate([depth[depth > 0][::50] for depth in some])
    middle = float(np.median(known)) if len(known) else 1.0

    def seen_by(number: int) -> tuple[np.ndarray, list[np.ndarray], list[int]]:
        depth, camera = depths(number)
        others = nearest_keyframes(T_world_camera, middle, number)
        points = pixel_rays(camera).numpy().astype(np.float32) * depth[..., None]
        T = [np.linalg.inv(T_world_camera[n]) @ T_world_camera[number] for n in others]
        return points, T, others

    whole = 2 * len(keyframe_ids)
    for number, keyframe_id in enumerate(keyframe_ids):
        points, T, others = seen_by(number)
        factors = averaged(points, T, [depths(n) for n in others])
        maps = files.read(keyframe_id)
        files.put(keyframe_id, replace(maps, depth=maps.depth * factors))
        depths.forget(number)
        tell(number + 1, whole)
    masks = []
    for number in range(len(keyframe_ids)):
        points, T, others = seen_by(number)
        agree, looking = agreement(points, T, [depths(n) for n in others])
        masks.append(np.packbits(confirmed(agree, looking)))
        tell(len(keyframe_ids) + number + 1, whole)
    stayed = total = 0
    for keyframe_id, packed in zip(keyframe_ids, masks, strict=True):
        maps = files.read(keyframe_id)
        mask = np.unpackbits(packed, count=maps.depth.size).reshape(maps.depth.shape) > 0
        total += int((maps.depth > 0).sum())
        left = np.where(mask, maps.depth, 0)
        stayed += int((left > 0).sum())
        sure = np.where(left > 0, maps.confidence, 1).astype(np.float32)
        files.put(keyframe_id, replace(maps, depth=left, confidence=sure))
    return stayed / max(total, 1)
