# SPDX-License-Identifier: Apache-2.0
"""Splats against images that they were not made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from dens3r_ros.sources.source import Source, SourceError
from dens3r_ros.splats.drawing.points import points_picture
from dens3r_ros.splats.drawing.rendering import render
from dens3r_ros.splats.gaussians import gaussians_of
from dens3r_ros.splats.quality import psnr, ssim
from dens3r_ros.splats.splats import Splats
from dens3r_ros.splats.view import PhotoView

EVERY = 8
"""One view in so many is left out."""
_FIRST = 4
"""Of these, so that there are views on both sides of it."""

Picture = Callable[[PhotoView], np.ndarray]
"""Draws what a view should show, (H, W, 3) float32 from 0 to 1."""


@dataclass(frozen=True)
class SplatScores:
    """Means over the images left out; PSNR in decibels."""

    images: int
    splats: int
    psnr: float
    ssim: float

    def figures(self, name: str) -> dict[str, float | int]:
        """By names that begin with `name`."""
        return {f"{name}_{key}": value for key, value in vars(self).items() if key != "images"}


def left_out(views: Sequence[PhotoView]) -> tuple[list[PhotoView], list[PhotoView]]:
    """Those to work with, and every eighth, which is left out; ValueError where there are few."""
    if len(views) <= _FIRST:
        raise ValueError(f"there are {len(views)} views; {_FIRST + 1} are needed to leave one out")
    kept = [view for n, view in enumerate(views) if n % EVERY != _FIRST]
    return kept, [view for n, view in enumerate(views) if n % EVERY == _FIRST]


def views_of_source(
    source: Source, every: int, size: tuple[int, int] | None, tell: Callable[[int], object]
) -> list[PhotoView]:
    """Every so manieth frame with its true pose and depth, on (width, height) pixels."""
    views = []
    for index in range(0, len(source), every):
        frame, truth = source[index], source.truth(index)
        if truth is None or frame.intrinsics is None:
            raise SourceError(
                f"{source.name} has no pose or no intrinsics for frame {index}; splats need both"
            )
        view = PhotoView(frame.image, frame.intrinsics, truth.T_world_camera, truth.depth)
        views.append(view if size is None else view.resized(*size))
        tell(len(views))
    return views


def splats_picture(splats: Splats) -> Picture:
    """Draws splats."""
    gaussians = gaussians_of(splats)

    def draw(view: PhotoView) -> np.ndarray:
        with torch.no_grad():
            colours, _ = render(gaussians, view.camera, view.T_world_camera)
        return colours.clamp(0, 1).numpy()

    return draw


def cloud_picture(splats: Splats) -> Picture:
    """Draws their centres as points."""
    return lambda view: points_picture(splats, view.camera, view.T_world_camera)


def scored(splats: Splats, views: Sequence[PhotoView], draw: Picture) -> SplatScores:
    """How near the pictures come to the views' images."""
    pairs = [(torch.from_numpy(draw(view)), torch.from_numpy(view.image) / 255) for view in views]
    return SplatScores(
        len(views),
        len(splats),
        float(np.mean([psnr(*pair) for pair in pairs])),
        float(np.mean([ssim(*pair) for pair in pairs])),
    )


def write_pictures(folder: Path, views: Sequence[PhotoView], draws: Sequence[Picture]) -> None:
    """One file for each view: its image, and beside it what each draws."""
    for n, view in enumerate(views):
        drawn = [np.rint(255 * draw(view)).astype(np.uint8) for draw in draws]
        beside = np.concatenate([view.image, *drawn], 1)
        cv2.imwrite(str(folder / f"left_out_{n:03}.png"), cv2.cvtColor(beside, cv2.COLOR_RGB2BGR))
