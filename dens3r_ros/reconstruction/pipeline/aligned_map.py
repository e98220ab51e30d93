# SPDX-License-Identifier: Apache-2.0
"""Aligned photos as a map, of which every photo is a keyframe."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.engines.protocol import EngineInfo, Features
from dens3r_ros.mapping.archive.stored import pack
from dens3r_ros.mapping.files.map_file import SavedKeyframe, SavedMap
from dens3r_ros.mapping.graph.graph import Edge
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.keyframes.levelling import CameraLeveller
from dens3r_ros.mapping.places.place_descriptor import describe, shipped_vocabulary
from dens3r_ros.mapping.tracking.cameras import at_input, camera_rays
from dens3r_ros.mapping.tracking.fusion import Canonical
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels
from dens3r_ros.reconstruction.global_alignment import Alignment
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.pipeline.options import Options

_DOUBT = 0.03
"""Standard deviation of an edge in depths, radians and logarithms of scale. The alignment tells
none; all edges agree with the poses, so it only says how much later measurements may move them."""


@dataclass(frozen=True, eq=False)
class AlignedPhotos:
    """Encoded photos, the scene that they are of, the pairs that showed it, and whether lenses are
    not known from a calibration."""

    photos: list[Features]
    found: Alignment
    pairs: list[tuple[int, int]]
    rough: bool

    def keyframe(self, n: int) -> Keyframe:
        """One of them, as the mapper would have it."""
        features, camera = self.photos[n], self.found.intrinsics[n]
        depth = self.found.depths[n].numpy()
        confidence = self.found.confidences[n].numpy()
        weight = np.where(depth > 0, np.maximum(confidence - 1, 0), 0).astype(np.float32)
        rays = camera_rays(camera)
        canonical = Canonical(rays * depth[..., None].astype(np.float32), weight, 1, rays)
        grey = cv2.cvtColor(resample(features.frame.image, features.placement), cv2.COLOR_RGB2GRAY)
        known = not self.rough and features.intrinsics is not None
        return Keyframe(n, features, canonical, camera, known, Texture(grey, textured_pixels(grey)))


def mapped_photos(
    aligned: AlignedPhotos,
    info: EngineInfo,
    options: Options,
    files: KeyframeFiles,
    tally: RunTally,
) -> Mapped:
    """The map, whose world begins in the first photo and is level as far as that shows the floor;
    its lengths are of a free unit."""
    keyframes = [aligned.keyframe(n) for n in range(len(aligned.photos))]
    first = keyframes[0].canonical
    R, levelled_by = CameraLeveller(options.mapper.levelling)(first.points, first.confidence)
    T_map_first = np.eye(4)
    T_map_first[:3, :3] = R
    T_world_camera = aligned.found.T_world_camera.double().numpy()
    T_map_world = T_map_first @ np.linalg.inv(T_world_camera[0])
    poses = {n: T_map_world @ T for n, T in enumerate(T_world_camera)}
    saved, lenses = [], {}
    for keyframe in keyframes:
        files.write(keyframe)
        frame = keyframe.features.frame
        place = describe(frame.image, shipped_vocabulary())
        saved.append(SavedKeyframe(pack(keyframe, options.mapper.archive.jpeg_quality), place))
        lenses[frame.camera] = at_input(keyframe.camera, keyframe.features.placement)
    records = [Record.of(one.features.frame, one.id, np.eye(4), 0) for one in keyframes]
    edges = _edges(aligned.pairs, poses, first.median_depth)
    count = len(keyframes)
    whole = SavedMap(info, False, levelled_by, count, poses, edges, records, saved)
    unsure = {one.camera_name for one in keyframes if not one.calibrated}
    return Mapped(whole, lenses, frozenset(unsure), tally)


def _edges(pairs: list[tuple[int, int]], poses: dict[int, np.ndarray], depth: float) -> list[Edge]:
    deviations = _DOUBT * np.array([depth] * 3 + [1.0] * 4)
    covariance = np.diag(deviations**2)
    tied = sorted({(min(pair), max(pair)) for pair in pairs})
    return [Edge(i, j, np.linalg.inv(poses[i]) @ poses[j], covariance) for i, j in tied]
