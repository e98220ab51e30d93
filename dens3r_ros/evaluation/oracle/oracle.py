# SPDX-License-Identifier: Apache-2.0
"""An engine that knows the truth and errs on purpose, to measure mapping without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from dens3r_ros.engines.preprocess import Sizing, intrinsics_at, place
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.evaluation.engine_pixels import on_engine_pixels
from dens3r_ros.evaluation.oracle.noise import (
    DisturbedView,
    OracleNoise,
    among,
    disturb_view,
    pair_generator,
    pose_error,
)
from dens3r_ros.evaluation.true_depth import filled, index_of_stamp
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.sources.source import Source, Truth

_NORMAL_RADIUS = 3


@dataclass(frozen=True, eq=False)
class TrueView:
    """What is true of a frame at the engine's resolution.

    camera  of these pixels
    rays    (h, w, 3) float32 with z = 1        depth  (h, w) float32, NaN where unknown
    shown   (h, w) float32: depth with mixed edges and filled holes, what a network would show
    normals (h, w, 3) float32, 0 where unknown
    """

    stamp: int
    T_world_camera: np.ndarray
    camera: Intrinsics
    rays: np.ndarray
    depth: np.ndarray
    shown: np.ndarray
    normals: np.ndarray
    median_depth: float


@dataclass(frozen=True, eq=False)
class SeenView:
    """What the oracle says of a view: points (h, w, 3), confidence (h, w) and normals (h, w, 3) in
    its own optical frame, and T_first_view (4, 4) in the unit of the points."""

    points: np.ndarray
    confidence: np.ndarray
    normals: np.ndarray
    T: np.ndarray


class OracleEngine:
    """Predictions from a source's depth and poses, disturbed by documented noise.

    It asks nothing of the frames but their stamps, which must be the source's. The same seed and
    pair give the same prediction, whenever they are asked for.
    """

    def __init__(
        self,
        source: Source,
        noise: OracleNoise | None = None,
        seed: int = 0,
        metric: bool = False,
        long_side: int = 512,
    ) -> None:
        self.noise = noise or OracleNoise()
        self.seed = seed
        self._source = source
        self._sizing = Sizing(patch=16, long_side=long_side)
        self._index_of: dict[int, int] = {}
        self.encodings = self.decodings = 0
        """How many frames were encoded, and how many pairs or windows decoded."""
        self.info = EngineInfo(
            name="oracle",
            model=f"seed {seed}",
            model_hash="",
            patch=16,
            image_size=long_side,
            metric=metric,
            monocular=True,
            normals=True,
            descriptors=False,
            device="cpu",
        )

    def description(self) -> dict[str, object]:
        """Noise and seed, for tables."""
        return {"seed": self.seed, "metric": self.info.metric, **asdict(self.noise)}

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Look up what is true of each frame."""
        self.encodings += len(frames)
        return [self._encode(frame) for frame in frames]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Disturb the truth of every pair."""
        self.decodings += len(pairs)
        decoded = [self._decode(a.data, b.data) for a, b in pairs]
        maps = {
            name: torch.from_numpy(np.stack([one[name] for one in decoded]))
            for name in _wanted(outputs)
        }
        return PairPrediction(**maps)

    def _encode(self, frame: Frame) -> Features:
        index = self._find(frame.stamp)
        truth = self._source.truth(index)
        camera = self._source[index].intrinsics
        if truth is None or camera is None:
            raise ValueError(
                f"{self._source.name} has no pose or no intrinsics for the frame at"
                f" {frame.stamp} ns; the oracle needs both for every frame"
            )
        placement = place(frame.size, self._sizing)
        view = true_view(
            frame.stamp, truth, intrinsics_at(camera, placement), placement, self.noise
        )
        given = intrinsics_at(frame.intrinsics, placement) if frame.intrinsics else None
        return Features(frame, placement, given, view)

    def _find(self, stamp: int) -> int:
        return index_of_stamp(self._source, stamp, self._index_of)

    def _decode(self, a: TrueView, b: TrueView) -> dict[str, np.ndarray]:
        seen = self.disturbed([a, b])
        maps = {}
        for name, one in zip("ab", seen, strict=True):
            rotation, shift = (part.astype(np.float32) for part in (one.T[:3, :3], one.T[:3, 3]))
            maps[f"points_{name}"] = one.points @ rotation.T + shift
            maps[f"confidence_{name}"] = one.confidence
            maps[f"normals_{name}"] = one.normals
        return maps

    def disturbed(self, views: Sequence[TrueView]) -> list[SeenView]:
        """How views that are looked at together appear; the same whenever they are."""
        noise = among(self.noise, len(views))
        random = pair_generator(self.seed, *(view.stamp for view in views))
        scale = 1.0 if self.info.metric else float(np.exp(random.normal(0, noise.scale)))
        T_camera_world = np.linalg.inv(views[0].T_world_camera)
        poses = [np.eye(4)]
        for view in views[1:]:
            wrong = pose_error(noise, random, view.median_depth)
            T = T_camera_world @ view.T_world_camera
            poses.append(T if view.stamp == views[0].stamp else T @ wrong)
        return [
            _seen(view, T, scale, disturb_view(noise, random, view.depth, view.shown))
            for view, T in zip(views, poses, strict=True)
        ]


def true_view(
    stamp: int, truth: Truth, camera: Intrinsics, placement: Placement, noise: OracleNoise
) -> TrueView:
    """The truth of a frame on the pixels that the engine works on."""
    depth = on_engine_pixels(truth.depth, placement)
    rays = pixel_rays(camera).numpy()
    shown = filled(depth, noise.bleed_pixels)
    if truth.normals is None:
        points = torch.from_numpy(rays * depth[..., None])
        normals = normals_from_points(points, radius=_NORMAL_RADIUS)[0].numpy()
    else:
        normals = np.nan_to_num(on_engine_pixels(truth.normals, placement))
    known = depth[np.isfinite(depth)]
    if not known.size:
        raise ValueError(f"the frame at {stamp} ns has no depth at all")
    return TrueView(
        stamp, truth.T_world_camera, camera, rays, depth, shown, normals, float(np.median(known))
    )


def _wanted(outputs: Outputs) -> list[str]:
    points = [f"{kind}_{view}" for view in outputs.points for kind in ("points", "confidence")]
    return points + [f"normals_{view}" for view in outputs.normals]


def _seen(
    view: TrueView, T_first_view: np.ndarray, scale: float, errors: DisturbedView
) -> SeenView:
    points = view.rays * (np.float32(scale) * (view.shown * errors.depth_factor))[..., None]
    known = np.abs(view.normals).sum(-1, keepdims=True) > 0
    T = T_first_view.copy()
    T[:3, 3] *= scale
    return SeenView(points, errors.confidence, _unit(view.normals + known * errors.normal_shift), T)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)
