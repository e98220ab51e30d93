# SPDX-License-Identifier: Apache-2.0
"""One picture of a run: the cloud from two sides, one frame's image and maps, the trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from dens3r_ros.nodes.demo.alignment import fitted_positions

BACKGROUND, INK, OURS, TRUE = "#10141a", "#d7dde5", "#ff8a3d", "#7dd3fc"
MAX_DRAWN = 150_000
DPI = 100
INSIDE = 0.2
"""Share of the map's height above the highest camera from where on it is cut away."""


def write_overview(
    path: Path,
    points: np.ndarray,
    colours: np.ndarray,
    poses: dict[int, np.ndarray],
    truth: dict[int, np.ndarray],
    images: dict[str, np.ndarray],
    title: str,
) -> None:
    """Draw what a run left; `images` may hold image, depth, normals, confidence."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(16, 10), facecolor=BACKGROUND)
    grid = figure.add_gridspec(
        2, 8, height_ratios=(2.2, 1), left=0.01, right=0.99, bottom=0.02, top=0.93, wspace=0.04
    )
    figure.suptitle(title, color=INK, fontsize=14)
    track = np.array([poses[stamp][:3, 3] for stamp in sorted(poses)]).reshape(-1, 3)
    inside = _inside(points, track)
    points, colours = points[inside], colours[inside]
    _draw_view(figure.add_subplot(grid[0, :3]), points, colours, track, _from_above())
    _draw_view(figure.add_subplot(grid[0, 3:6]), points, colours, track, _from_the_side())
    _draw_tracks(figure.add_subplot(grid[0, 6:]), poses, truth)
    for place, name in enumerate(("image", "depth", "normals", "confidence")):
        _draw_map(figure.add_subplot(grid[1, 2 * place : 2 * place + 2]), name, images.get(name))
    figure.savefig(path, dpi=DPI, facecolor=BACKGROUND)
    pyplot.close(figure)


def _inside(points: np.ndarray, track: np.ndarray) -> np.ndarray:
    """(N,) which points are no ceiling, which would hide all that is below."""
    if not len(points) or not len(track):
        return np.ones(len(points), bool)
    low, high = np.percentile(points[:, 2], [1, 99])
    return points[:, 2] < track[:, 2].max() + INSIDE * (high - low)


def _from_above() -> np.ndarray:
    return np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])


def _from_the_side() -> np.ndarray:
    turn, tilt = np.deg2rad(35), np.deg2rad(45)
    spin = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, np.sin(tilt), np.cos(tilt)], [0, -np.cos(tilt), np.sin(tilt)]])
    return lean @ spin


def _draw_view(
    axes: Any, points: np.ndarray, colours: np.ndarray, track: np.ndarray, R: np.ndarray
) -> None:
    """Orthographic, far points first; R takes map axes to right, up, towards the viewer."""
    _plain(axes)
    axes.set_aspect("equal")
    if len(points):
        shown = np.random.default_rng(0).permutation(len(points))[:MAX_DRAWN]
        seen = points[shown] @ R.T
        order = np.argsort(seen[:, 2])
        rgb = colours[shown][order] / 255.0
        low, high = np.percentile(seen[:, :2], [1, 99], axis=0)
        margin = 0.05 * (high - low).max()
        low, high = low - margin, high + margin
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        dot = _dot(seen, axes.get_window_extent(), high - low)
        axes.scatter(*seen[order, :2].T, c=rgb, s=dot, linewidths=0, rasterized=True)
    if len(track):
        axes.plot(*(track @ R.T)[:, :2].T, color=OURS, linewidth=1.6)


def _dot(points: np.ndarray, room: Any, extent: np.ndarray) -> float:
    """The area in square typographic points with which dots just close a surface, within reason."""
    some = points[:: max(1, len(points) // 2000)]
    apart = np.median(cKDTree(points).query(some, 2)[0][:, 1])
    pixels = apart * min(room.width / extent[0], room.height / extent[1])
    return float(np.clip((1.9 * pixels * 72 / DPI) ** 2, 1.0, 40.0))


def _draw_tracks(axes: Any, poses: dict[int, np.ndarray], truth: dict[int, np.ndarray]) -> None:
    _plain(axes)
    axes.set_aspect("equal")
    fitted = fitted_positions(poses, truth)
    if fitted is None:
        axes.set_title("no ground truth", color=INK, fontsize=10)
        return
    ours, true = fitted
    plane = np.linalg.svd(true - true.mean(0), full_matrices=False)[2][:2]
    axes.plot(*((true - true.mean(0)) @ plane.T).T, color=TRUE, linewidth=3, label="true")
    axes.plot(*((ours - true.mean(0)) @ plane.T).T, color=OURS, linewidth=1.4, label="estimated")
    axes.legend(facecolor=BACKGROUND, labelcolor=INK, edgecolor="none", fontsize=9)
    axes.set_title("trajectory against truth", color=INK, fontsize=10)


def _draw_map(axes: Any, name: str, values: np.ndarray | None) -> None:
    _plain(axes)
    axes.set_title(name, color=INK, fontsize=10)
    if values is None:
        return
    if values.ndim == 3:
        axes.imshow(values)
        return
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [2, 98]) if len(finite) else (0.0, 1.0)
    axes.imshow(values, cmap="turbo" if name == "depth" else "viridis", vmin=low, vmax=high)


def _plain(axes: Any) -> None:
    axes.set_facecolor(BACKGROUND)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
