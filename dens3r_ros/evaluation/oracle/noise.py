# SPDX-License-Identifier: Apache-2.0
"""How the oracle's predictions are wrong, documented and seeded per pair."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class OracleNoise:
    """Strength of every disturbance; each is drawn anew for each ordered pair of frames."""

    scale: float = 0.10
    """Standard deviation of the logarithm of the pair's scale; not applied in metric mode."""
    warp: float = 0.03
    """Standard deviation of a smooth relative depth error with `warp_knots` across the view."""
    warp_knots: tuple[int, int] = (3, 4)
    pixel: float = 0.01
    """Standard deviation of a pixel's own relative depth error."""
    rotation_deg: float = 0.3
    """Root mean square angle by which the second view's points are turned about its camera."""
    translation: float = 0.01
    """Root mean square shift of the second view's points, relative to its median depth."""
    bleed_pixels: int = 2
    """Half width of the band around depth edges where near and far are mixed."""
    hole_share: float = 0.02
    """Share of the view lost in blobs, beside what the truth lacks."""
    outlier_share: float = 0.01
    """Share of pixels whose depth is off by a factor of `outlier_spread` (log); half of them
    keep their confidence."""
    outlier_spread: float = 0.5
    confidence_peak: float = 9.0
    """Confidence minus 1 of a pixel without error."""
    confidence_error: float = 0.05
    """Relative depth error at which the confidence above 1 has fallen to 1/e."""
    confidence_jitter: float = 0.3
    """Standard deviation of the logarithm of the confidence above 1."""
    normal_deg: float = 5.0
    """Root mean square angle of a normal's own error."""


def among(noise: OracleNoise, views: int) -> OracleNoise:
    """The noise of a view that is looked at among so many at once; two are a pair.

    The law: what comes of comparing views (the smooth warp of depth, turn and shift of the other
    views) shrinks with the root of their number, by sqrt(2 / views): 0.71 with four. What is a
    view's own does not (its pixels, mixed edges, holes, outliers, normals), nor does the spread of
    the scale: a whole window shares one unit, drawn as a pair's is.
    """
    share = float(np.sqrt(2 / max(views, 2)))
    return replace(
        noise,
        warp=share * noise.warp,
        rotation_deg=share * noise.rotation_deg,
        translation=share * noise.translation,
    )


@dataclass(frozen=True, eq=False)
class DisturbedView:
    """Relative factors on depth (h, w), confidence (h, w), and turns of normals (h, w, 3)."""

    depth_factor: np.ndarray
    confidence: np.ndarray
    normal_shift: np.ndarray


def pair_generator(seed: int, *stamps: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the frames that are looked at alone."""
    digest = hashlib.sha256(":".join(map(str, (seed, *stamps))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def pose_error(noise: OracleNoise, random: np.random.Generator, median_depth: float) -> np.ndarray:
    """(4, 4) small rigid motion."""
    T = np.eye(4)
    turn = random.standard_normal(3) * np.deg2rad(noise.rotation_deg) / np.sqrt(3)
    T[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    T[:3, 3] = random.standard_normal(3) * noise.translation * median_depth / np.sqrt(3)
    return T


def disturb_view(
    noise: OracleNoise, random: np.random.Generator, truth_depth: np.ndarray, shown: np.ndarray
) -> DisturbedView:
    """Errors of one view; `shown` is its depth with edges bled and holes filled.

    Confidence follows the whole depth error, bleeding included, and is 1 where truth is missing.
    """
    size = truth_depth.shape
    error = noise.warp * smooth_field(random, noise.warp_knots, size)
    error += noise.pixel * random.standard_normal(size, dtype=np.float32)
    outliers = random.random(size, dtype=np.float32)
    shift = noise.outlier_spread * random.standard_normal(size, dtype=np.float32)
    wrong = outliers < noise.outlier_share
    hidden = outliers < noise.outlier_share / 2
    holes = _blobs(random, noise.hole_share, size)
    known = np.isfinite(truth_depth)
    bled = np.log(shown / np.where(known, truth_depth, shown))
    visible_error = error + bled + np.where(wrong & ~hidden, shift, 0)
    jitter = noise.confidence_jitter * random.standard_normal(size, dtype=np.float32)
    confidence = noise.confidence_peak * np.exp(
        jitter - np.abs(visible_error) / noise.confidence_error
    )
    error = error + np.where(wrong, shift, 0) + np.where(holes, 0.3 * shift, 0)
    confidence = 1 + np.where(known & ~holes, confidence, 0)
    turn = np.deg2rad(noise.normal_deg) / np.sqrt(2)
    normal_shift = turn * random.standard_normal((*size, 3), dtype=np.float32)
    return DisturbedView(np.exp(error), confidence.astype(np.float32), normal_shift)


def smooth_field(
    random: np.random.Generator, knots: tuple[int, int], size: tuple[int, ...]
) -> np.ndarray:
    """(h, w) float32 of about unit variance, as smooth as its few knots."""
    coarse = random.standard_normal(knots, dtype=np.float32)
    field = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return field.astype(np.float32)


def _blobs(random: np.random.Generator, share: float, size: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool: round patches that cover about `share` of the view."""
    mask = np.zeros(size, np.uint8)
    if share <= 0:
        return mask.astype(bool)
    radius = max(2, round(0.03 * size[1]))
    count = round(share * size[0] * size[1] / (np.pi * radius**2))
    for x, y in random.random((count, 2)) * (size[1], size[0]):
        cv2.circle(mask, (int(x), int(y)), radius, 1, -1)
    return mask.astype(bool)
