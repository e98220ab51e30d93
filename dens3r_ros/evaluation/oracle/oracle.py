# SPDX-License-Identifier: Apache-2.0
"""An engine that knows the truth and errs on purpose, to measure mapping without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch

from dens3r_ros.engines.preprocess import Sizing, intrinsics_at, place
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.evaluation.engine_pixels import on_engine_pixels
from dens3r_ros.evaluation.oracle.noise import (
    DisturbedView,
    OracleNoise,
    disturb_view,
    pair_generator,
    pose_error,
)
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

    rays    (h, w, 3) float32 with z = 1        depth  (h, w) float32, NaN where unknown
    shown   (h, w) float32: depth with mixed edges and filled holes, what a network would show
    normals (h, w, 3) float32, 0 where unknown
    """

    stamp: int
    T_world_camera: np.ndarray
    rays: np.ndarray
    depth: np.ndarray
    shown: np.ndarray
    normals: np.ndarray
    median_depth: float


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
        self._scanned = 0
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
        return [self._encode(frame) for frame in frames]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Disturb the truth of every pair."""
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
        while stamp not in self._index_of:
            if self._scanned == len(self._source):
                raise KeyError(f"{self._source.name} has no frame at {stamp} ns")
            self._index_of[self._source[self._scanned].stamp] = self._scanned
            self._scanned += 1
        return self._index_of[stamp]

    def _decode(self, a: TrueView, b: TrueView) -> dict[str, np.ndarray]:
        random = pair_generator(self.seed, a.stamp, b.stamp)
        scale = 1.0 if self.info.metric else float(np.exp(random.normal(0, self.noise.scale)))
        T_b_wrong = pose_error(self.noise, random, b.median_depth)
        T_a_b = np.linalg.inv(a.T_world_camera) @ b.T_world_camera
        if a.stamp != b.stamp:
            T_a_b = T_a_b @ T_b_wrong
        maps = {}
        for name, view, T in (("a", a, np.eye(4)), ("b", b, T_a_b)):
            errors = disturb_view(self.noise, random, view.depth, view.shown)
            maps[f"points_{name}"] = _points(view, errors, T, scale)
            maps[f"confidence_{name}"] = errors.confidence
            known = np.abs(view.normals).sum(-1, keepdims=True) > 0
            maps[f"normals_{name}"] = _unit(view.normals + known * errors.normal_shift)
        return maps


def true_view(
    stamp: int, truth: Truth, camera: Intrinsics, placement: Placement, noise: OracleNoise
) -> TrueView:
    """The truth of a frame on the pixels that the engine works on."""
    depth = on_engine_pixels(truth.depth, placement)
    rays = pixel_rays(camera).numpy()
    shown = _filled(depth, noise.bleed_pixels)
    if truth.normals is None:
        points = torch.from_numpy(rays * depth[..., None])
        normals = normals_from_points(points, radius=_NORMAL_RADIUS)[0].numpy()
    else:
        normals = np.nan_to_num(on_engine_pixels(truth.normals, placement))
    known = depth[np.isfinite(depth)]
    if not known.size:
        raise ValueError(f"the frame at {stamp} ns has no depth at all")
    return TrueView(
        stamp, truth.T_world_camera, rays, depth, shown, normals, float(np.median(known))
    )


def _wanted(outputs: Outputs) -> list[str]:
    points = [f"{kind}_{view}" for view in outputs.points for kind in ("points", "confidence")]
    return points + [f"normals_{view}" for view in outputs.normals]


def _points(view: TrueView, errors: DisturbedView, T: np.ndarray, scale: float) -> np.ndarray:
    points = view.rays * (view.shown * errors.depth_factor)[..., None]
    rotation, shift = T[:3, :3].astype(np.float32), T[:3, 3].astype(np.float32)
    return np.float32(scale) * (points @ rotation.T + shift)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def _filled(depth: np.ndarray, bleed: int) -> np.ndarray:
    """Depth with holes filled by what is nearest and near and far mixed around edges."""
    known = np.isfinite(depth)
    whole = depth.copy()
    if not known.all() and known.any():
        _, labels = cv2.distanceTransformWithLabels(
            (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        source = np.zeros(int(labels.max()) + 1, np.float32)
        source[labels[known]] = depth[known]
        whole = source[labels]
    if bleed <= 0:
        return whole
    kernel = np.ones((2 * bleed + 1, 2 * bleed + 1), np.uint8)
    edge = cv2.dilate(whole, kernel) > 1.1 * cv2.erode(whole, kernel)
    mixed = cv2.blur(whole, kernel.shape)
    return np.where(edge, mixed, whole).astype(np.float32)
