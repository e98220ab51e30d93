# SPDX-License-Identifier: Apache-2.0
"""A model of photos as a map, of which every photo is a keyframe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.engines.protocol import EngineInfo, Features, Placement
from dens3r_ros.mapping.archive.stored import pack
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.files.map_file import SavedKeyframe, SavedMap
from dens3r_ros.mapping.graph.graph import Edge
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.keyframes.levelling import CameraLeveller
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor
from dens3r_ros.mapping.tracking.cameras import at_input, camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.dense import Maps
from dens3r_ros.reconstruction.sparse.models import Model

_DOUBT = 0.03
"""Standard deviation of an edge in depths, radians and logarithms of scale. The alignment tells
none; all edges agree with the poses, so it only says how much later measurements may move them."""


@dataclass(frozen=True, eq=False)
class AlignedPhotos:
    """A model of an album's photos; where the engine's pixels lie in each; what each looks like;
    its depth and confidence when asked for; whether lenses are known from a calibration."""

    album: Album
    model: Model
    placement: Callable[[int], Placement]
    place: Callable[[int], PlaceDescriptor]
    maps: Callable[[int], Maps]
    calibrated: bool

    def keyframe(self, photo: int) -> Keyframe:
        """One of them, as the mapper would have it."""
        frame, placement = self.album.frame(photo), self.placement(photo)
        camera = self.model.lenses[photo]
        depth, confidence = self.maps(photo)
        weight = np.where(depth > 0, np.maximum(confidence - 1, 0), 0).astype(np.float32)
        rays = camera_rays(camera)
        canonical = Canonical(rays * depth[..., None].astype(np.float32), weight, 1, rays)
        grey = cv2.cvtColor(resample(frame.image, placement), cv2.COLOR_RGB2GRAY)
        features = Features(frame, placement, camera, None)
        texture = Texture(grey, textured_pixels(grey))
        return Keyframe(photo, features, canonical, camera, self.calibrated, texture)

    def keyframes(self) -> Iterator[Keyframe]:
        """All of them, one at a time."""
        for photo in sorted(self.model.photos):
            yield self.keyframe(photo)


def mapped_photos(
    aligned: AlignedPhotos,
    info: EngineInfo,
    config: MapperConfig,
    files: KeyframeFiles,
    tally: RunTally,
    tell: Callable[[int], None] = lambda done: None,
) -> Mapped:
    """The map, whose world begins in the first photo and is level as far as that shows the
    floor."""
    saved, lenses, records, depth, levelled_by = [], {}, [], 1.0, ""
    T_map_first, first = np.eye(4), None
    for done, keyframe in enumerate(aligned.keyframes()):
        if first is None:
            first, canonical = keyframe.id, keyframe.canonical
            depth = canonical.median_depth
            leveller = CameraLeveller(config.levelling)
            T_map_first[:3, :3], levelled_by = leveller(canonical.points, canonical.confidence)
        files.write(keyframe)
        packed = pack(keyframe, config.archive.jpeg_quality)
        saved.append(SavedKeyframe(packed, aligned.place(keyframe.id)))
        frame = keyframe.features.frame
        lenses[frame.camera] = at_input(keyframe.camera, keyframe.features.placement)
        records.append(Record.of(frame, keyframe.id, np.eye(4), 0))
        tell(done + 1)
    T = aligned.model.T_world_camera
    T_map_world = T_map_first @ np.linalg.inv(T[first]) if first is not None else np.eye(4)
    poses = {photo: T_map_world @ T[photo] for photo in sorted(T)}
    edges = _edges(aligned.model.tied, poses, depth)
    whole = SavedMap(info, info.metric, levelled_by, max(poses) + 1, poses, edges, records, saved)
    unsure = frozenset() if aligned.calibrated else frozenset(lenses)
    return Mapped(whole, lenses, unsure, tally)


def _edges(tied: list[tuple[int, int]], poses: dict[int, np.ndarray], depth: float) -> list[Edge]:
    deviations = _DOUBT * np.array([depth] * 3 + [1.0] * 4)
    covariance = np.diag(deviations**2)
    return [Edge(i, j, np.linalg.inv(poses[i]) @ poses[j], covariance) for i, j in tied]
