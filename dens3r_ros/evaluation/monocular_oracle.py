# SPDX-License-Identifier: Apache-2.0
"""A network of single images that knows the truth and errs on purpose, to measure the hybrid engine
without weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch

from dens3r_ros.engines.monocular import MonocularInfo, MonocularPrediction
from dens3r_ros.engines.preprocess import Sizing, intrinsics_at, place
from dens3r_ros.engines.protocol import Placement
from dens3r_ros.evaluation.engine_pixels import on_engine_pixels
from dens3r_ros.evaluation.oracle.noise import pair_generator, smooth_field
from dens3r_ros.evaluation.true_depth import filled, index_of_stamp
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.sources.source import Source

_NORMAL_RADIUS = 3


@dataclass(frozen=True)
class MonocularNoise:
    """Strength of every disturbance; each is drawn anew for each image."""

    metric_scale: float = 0.05
    """Standard deviation of the logarithm of the image's scale, where the oracle is metric."""
    free_scale: float = 0.5
    """The same where it is not: an image's unit says nothing."""
    warp: float = 0.04
    """Standard deviation of a smooth relative depth error with `warp_knots` across the view."""
    warp_knots: tuple[int, int] = (3, 4)
    pixel: float = 0.02
    """Standard deviation of a pixel's own relative depth error."""
    bleed_pixels: int = 2
    """Half width of the band around depth edges where near and far are mixed."""
    normal_deg: float = 5.0
    """Root mean square angle of a normal's own error."""
    focal: float = 0.05
    """Standard deviation of the logarithm of the focal length that it tells."""


class MonocularOracle:
    """Depth of single images of a source, disturbed by documented noise.

    It asks nothing of the frames but their stamps, which must be the source's, and knows of its
    errors only how large they usually are. The same seed and frame give the same prediction.
    """

    def __init__(
        self,
        source: Source,
        metric: bool,
        noise: MonocularNoise | None = None,
        seed: int = 0,
        long_side: int = 512,
    ) -> None:
        self.noise = noise or MonocularNoise()
        self.seed = seed
        self._source = source
        self._sizing = Sizing(patch=16, long_side=long_side)
        self._index_of: dict[int, int] = {}
        self.info = MonocularInfo(
            name="oracle-metric" if metric else "oracle",
            model=f"seed {seed}",
            model_hash="",
            metric=metric,
            scale_error=self.noise.metric_scale,
            normals=True,
            device="cpu",
        )

    def description(self) -> dict[str, object]:
        """Noise and seed, for tables."""
        return {"seed": self.seed, "metric": self.info.metric, **asdict(self.noise)}

    def predict(self, frame: Frame) -> MonocularPrediction:
        """What is true of a frame, disturbed."""
        index = index_of_stamp(self._source, frame.stamp, self._index_of)
        truth, camera = self._source.truth(index), self._source[index].intrinsics
        if truth is None or camera is None:
            raise ValueError(
                f"{self._source.name} has no depth or no intrinsics for the frame at"
                f" {frame.stamp} ns; the oracle needs both for every frame"
            )
        placement = place(frame.size, self._sizing)
        random = pair_generator(self.seed, frame.stamp, frame.stamp)
        depth = on_engine_pixels(truth.depth, placement)
        here = intrinsics_at(camera, placement)
        normals = self._normals(depth, truth.normals, here, placement, random)
        return MonocularPrediction(
            self._depth(depth, random),
            np.where(np.isfinite(depth), self._usual_error, np.inf).astype(np.float32),
            normals,
            self._camera(here, random),
            placement,
        )

    @property
    def _usual_error(self) -> float:
        return float(np.hypot(self.noise.warp, self.noise.pixel))

    def _depth(self, depth: np.ndarray, random: np.random.Generator) -> np.ndarray:
        noise = self.noise
        spread = noise.metric_scale if self.info.metric else noise.free_scale
        error = np.full(depth.shape, random.normal(0, spread))
        error += noise.warp * smooth_field(random, noise.warp_knots, depth.shape)
        error += noise.pixel * random.standard_normal(depth.shape, dtype=np.float32)
        return (filled(depth, noise.bleed_pixels) * np.exp(error)).astype(np.float32)

    def _normals(
        self,
        depth: np.ndarray,
        known: np.ndarray | None,
        camera: Intrinsics,
        placement: Placement,
        random: np.random.Generator,
    ) -> np.ndarray:
        if known is not None:
            normals = np.nan_to_num(on_engine_pixels(known, placement))
        else:
            points = torch.from_numpy(pixel_rays(camera).numpy() * depth[..., None])
            normals = normals_from_points(points, radius=_NORMAL_RADIUS)[0].numpy()
        turn = np.deg2rad(self.noise.normal_deg) / np.sqrt(2)
        shift = turn * random.standard_normal(normals.shape, dtype=np.float32)
        shifted = normals + shift * (np.abs(normals).sum(-1, keepdims=True) > 0)
        length = np.linalg.norm(shifted, axis=-1, keepdims=True)
        return (shifted / np.maximum(length, 1e-12)).astype(np.float32)

    def _camera(self, camera: Intrinsics, random: np.random.Generator) -> Intrinsics:
        factor = float(np.exp(random.normal(0, self.noise.focal)))
        fx, fy = camera.fx * factor, camera.fy * factor
        return Intrinsics(fx, fy, camera.cx, camera.cy, camera.width, camera.height)
