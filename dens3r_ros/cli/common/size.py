# SPDX-License-Identifier: Apache-2.0
"""Sizes of images on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

SHORTEST, LONGEST = 8, 16384


@dataclass(frozen=True)
class Size:
    """Pixels."""

    width: int
    height: int

    @property
    def rows_first(self) -> tuple[int, int]:
        """(height, width), as arrays have it."""
        return self.height, self.width

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parsed_size(text: str | Size) -> Size:
    """WIDTHxHEIGHT."""
    parts = str(text).lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{text!r} is not WIDTHxHEIGHT, as in 512x384")
    size = Size(int(parts[0]), int(parts[1]))
    if not SHORTEST <= min(size.rows_first) <= max(size.rows_first) <= LONGEST:
        raise typer.BadParameter(f"{text}: sides are {SHORTEST} to {LONGEST} pixels")
    return size


ImageSize = Annotated[
    Size,
    typer.Option(
        "--size", parser=parsed_size, metavar="WIDTHxHEIGHT", help="Size of the images, pixels."
    ),
]
OwnImageSize = Annotated[
    Size | None,
    typer.Option(
        "--size",
        parser=parsed_size,
        metavar="WIDTHxHEIGHT",
        help="Size of the images, pixels; as the network was trained unless given.",
    ),
]
