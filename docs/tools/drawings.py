# SPDX-License-Identifier: Apache-2.0
"""Writes docs/images/{pipeline,tf}.svg: `python docs/tools/drawings.py`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "images"
OURS, OTHERS, LINE = "#dbeafe", "#f3f4f6", "#4b5563"
BOX_HEIGHT = 44


@dataclass(frozen=True)
class Box:
    """A box with one or two lines of text; x, y of its upper left corner, pixels."""

    x: int
    y: int
    width: int
    text: tuple[str, ...]
    ours: bool = True

    @property
    def middle(self) -> int:
        """Half way down."""
        return self.y + BOX_HEIGHT // 2

    def svg(self) -> str:
        """The box and its text."""
        fill, centre = OURS if self.ours else OTHERS, self.x + self.width // 2
        first = self.middle + 5 - 8 * (len(self.text) - 1)
        return "\n".join(
            [
                f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{BOX_HEIGHT}" '
                f'rx="6" fill="{fill}" stroke="{LINE}"/>',
                *(_text(centre, first + 16 * n, line) for n, line in enumerate(self.text)),
            ]
        )


def _text(x: int, y: int, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _arrow(points: str, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{LINE}"{dashes} marker-end="url(#head)"/>'
    )


def _between(a: Box, b: Box, dashed: bool = False) -> str:
    """An arrow from a box to one on its right, on the height of the first."""
    return _arrow(f"{a.x + a.width},{a.middle} {b.x - 2},{a.middle}", dashed)


def _page(width: int, height: int, title: str, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img">'
    )
    marker = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, f"<title>{title}</title>", marker, ground, *parts, "</svg>\n"])


def pipeline() -> str:
    """From cameras to topics."""
    camera = Box(10, 70, 110, ("camera", "driver"), ours=False)
    intake = Box(160, 70, 120, ("intake", "judge, undistort"))
    tracking = Box(320, 70, 130, ("tracking", "every image"))
    outputs = Box(490, 70, 130, ("outputs", "points, poses, TF"))
    users = Box(660, 70, 120, ("RViz, Nav2,", "nvblox, you"), ours=False)
    decoding = Box(320, 170, 130, ("decoding", "some images"))
    mapping = Box(490, 170, 130, ("mapping", "keyframes, loops"))
    solver = Box(660, 170, 120, ("solver", "pose graph"))
    boxes = (camera, intake, tracking, outputs, users, decoding, mapping, solver)
    row = (camera, intake, tracking, outputs, users)
    return _page(
        790,
        250,
        "From cameras to topics",
        [
            *(box.svg() for box in boxes),
            *(_between(a, b) for a, b in pairwise(row)),
            _arrow("370,114 370,168"),
            _arrow("400,170 400,116", dashed=True),
            _between(decoding, mapping),
            _between(mapping, solver),
            _arrow("555,170 555,116"),
            _text(320, 52, "its own thread: answers at once", "start"),
            _text(320, 236, "beside it: worker thread", "start"),
            _text(660, 236, "its own process", "start"),
        ],
    )


def _chain(y: int, title: str, names: tuple[str, ...], ours: tuple[bool, ...]) -> list[str]:
    """Frames from left to right; `ours` says for each link whether the node publishes it."""
    boxes = [Box(10 + 190 * n, y, 130, (name,), ours=False) for n, name in enumerate(names)]
    parts = [_text(10, y - 14, title, "start"), *(box.svg() for box in boxes)]
    for a, b, mine in zip(boxes[:-1], boxes[1:], ours, strict=True):
        parts.append(_between(a, b, dashed=not mine))
    return parts


def tf_tree() -> str:
    """Who publishes which transform."""
    return _page(
        730,
        330,
        "Who publishes which transform",
        [
            *_chain(40, "A camera on its own", ("map", "odom", "camera"), (True, True)),
            *_chain(
                140,
                "frames.base: base_link",
                ("map", "odom", "base_link", "camera"),
                (True, True, False),
            ),
            *_chain(
                240,
                "profile:=robot (frames.tf_mode: map_to_odom)",
                ("map", "odom", "base_link", "camera"),
                (True, False, False),
            ),
            _text(10, 315, "solid: published by the node; dashed: by the robot", "start"),
        ],
    )


def main() -> None:
    """Write both."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "pipeline.svg").write_text(pipeline())
    (FOLDER / "tf.svg").write_text(tf_tree())


if __name__ == "__main__":
    main()
