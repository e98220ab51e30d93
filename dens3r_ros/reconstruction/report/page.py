# SPDX-License-Identifier: Apache-2.0
"""`report.html`: one page, whole in itself, that shows and tells how a reconstruction went."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dens3r_ros.reconstruction.outputs.cloud import read_cloud
from dens3r_ros.reconstruction.outputs.frame_maps import normal_colours
from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.reconstruction.report.interactive import interactive_view
from dens3r_ros.reconstruction.report.pictures import ABOVE, depth_colours, draw, from_the_side

_DRAWN = 400_000
_SAMPLES = 4
_SAMPLE_WIDTH = 320
_STYLE = """
body { background: #10141a; color: #d7dde5; font: 15px/1.5 system-ui, sans-serif; margin: 2em auto;
  max-width: 1000px; padding: 0 1em; }
h1, h2 { font-weight: 600; } h2 { margin-top: 2em; }
table { border-collapse: collapse; } td, th { padding: .2em 1.2em .2em 0; text-align: left;
  vertical-align: top; } th { font-weight: 400; color: #8b97a5; }
img, canvas { max-width: 100%; border-radius: 4px; } canvas { touch-action: none; cursor: grab; }
.row { display: flex; gap: 8px; margin-bottom: 8px; } .row img { width: 33%; }
.two img { width: 50%; } .hint { color: #8b97a5; margin: 0; } code { color: #7dd3fc; }
"""


@dataclass(frozen=True)
class Told:
    """What the page tells in tables: pairs of names and values."""

    result: Sequence[tuple[str, str]]
    times: Sequence[tuple[str, str]]
    dropped: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]


def write_report(path: Path, title: str, scene: Scene, cloud: Path, told: Told) -> None:
    """Write the page; it needs nothing beside it, and no network."""
    rows = read_cloud(cloud)
    some = rows[:: max(1, len(rows) // _DRAWN)]
    points, colours = some["xyz"].astype(np.float64), some["rgb"]
    track = np.array([pose.T_map_camera[:3, 3] for pose in scene.trajectory]).reshape(-1, 3)
    views = (draw(points, colours, track, R) for R in (ABOVE, from_the_side()))
    pictures = "".join(_img(view, name) for view, name in zip(views, _VIEWS, strict=True))
    parts = [
        f"<h1>{escape(title)}</h1>",
        _table(told.result),
        f'<h2>From above and from the side</h2><div class="row two">{pictures}</div>',
        "<h2>The cloud</h2>" + interactive_view(points, colours, track),
        "<h2>Depth and normals</h2>" + "".join(_samples(scene)),
        "<h2>Files</h2>" + _table(told.files),
        "<h2>Time</h2>" + _table(told.times),
        "<h2>What was left out, and why</h2>" + (_table(told.dropped) or "<p>Nothing.</p>"),
        "<h2>Settings and versions</h2>" + _table(told.settings),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    page = f"<!doctype html>\n<html lang='en'><head>{head}</head><body>{body}</body></html>\n"
    path.write_text(page, encoding="utf-8")


_VIEWS = ("the cloud from above", "the cloud from the side")


def _samples(scene: Scene) -> list[str]:
    """Image, depth and normals of some keyframes, spread evenly."""
    count = len(scene.keyframes)
    chosen = sorted({round(n * (count - 1) / (_SAMPLES - 1)) for n in range(_SAMPLES)})
    rows = []
    for number in chosen:
        keyframe = scene.keyframes[number]
        view = keyframe.read()
        normals = np.where((view.depth > 0)[..., None], view.normals(), 0)
        shown = (view.colours, depth_colours(view.depth), normal_colours(normals))
        names = (f"keyframe {keyframe.id}", "its depth", "its normals")
        images = "".join(_img(_small(i), n) for i, n in zip(shown, names, strict=True))
        rows.append(f'<div class="row">{images}</div>')
    return rows


def _small(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if width <= _SAMPLE_WIDTH:
        return image
    size = _SAMPLE_WIDTH, max(1, round(height * _SAMPLE_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _img(image: np.ndarray, name: str) -> str:
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    text = base64.b64encode(jpeg).decode()
    return f'<img alt="{escape(name)}" title="{escape(name)}" src="data:image/jpeg;base64,{text}">'


def _table(rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(lines)}</table>"


def versions() -> list[tuple[str, str]]:
    """Of this package and those that results depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("dens3r_ros", "numpy", "opencv-python-headless", "torch", "gtsam", "open3d", "av"):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def counted(reasons: Mapping[str, int], what: str) -> list[tuple[str, str]]:
    """Rows of a table: how many, and why, the most first."""
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return [(f"{count} {what}", reason) for reason, count in ordered]


def seconds(times: Mapping[str, float], images: int) -> list[tuple[str, str]]:
    """Rows of a table: seconds by stage."""
    rows = [(name, f"{spent:.1f} s") for name, spent in times.items()]
    mapping = times.get("mapping", 0.0)
    if mapping > 0:
        rows.append(("images mapped a second", f"{images / mapping:.1f}"))
    return rows


def flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Rows of a table of nested settings, mappings or dataclasses."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        full = f"{above}{name}"
        if is_dataclass(value) and not isinstance(value, type):
            value = {one.name: getattr(value, one.name) for one in fields(value)}
        if isinstance(value, Mapping):
            rows += flat(value, f"{full}.")
        else:
            rows.append((full, str(value)))
    return rows
