# SPDX-License-Identifier: Apache-2.0
"""`dens3r train`: train a network on procedural scenes, and see what these look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Train a network on procedural scenes, or look at the scenes."
)


@app.callback()
def train() -> None:
    """Train a network on procedural scenes, or look at the scenes."""


@app.command()
def preview(
    seeds: Annotated[str, typer.Option(help="Which pairs, as FIRST:END.")] = "0:16",
    size: Annotated[str, typer.Option(help="Size of each picture, as WIDTHxHEIGHT.")] = "160x120",
    out: Annotated[Path, typer.Option(help="The picture to write, .jpg or .png.")] = Path(
        "preview.png"
    ),
    columns: Annotated[int, typer.Option(min=1, help="Pairs side by side.")] = 2,
    world: Annotated[
        str | None, typer.Option(help="Only this kind: rooms, outdoors, ... ; default all.")
    ] = None,
) -> None:
    """Write a contact sheet of pairs: images a and b, depth, normals, and what b sees of a."""
    from PIL import Image

    from dens3r_ros.scenes import SceneConfig, sample_pairs
    from dens3r_ros.scenes.sheet import contact_sheet

    first, last = _two(seeds, ":", "--seeds takes FIRST:END, for example 0:16")
    width, height = _two(size, "x", "--size takes WIDTHxHEIGHT, for example 160x120")
    if first >= last:
        raise typer.BadParameter(f"{seeds} holds no pairs: END must be greater than FIRST")
    config = SceneConfig(worlds=((world, 1.0),)) if world else SceneConfig()
    try:
        pairs = sample_pairs(range(first, last), height, width, config=config)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    Image.fromarray(contact_sheet(pairs, columns).numpy()).save(out, quality=88)
    overlap = pairs.overlap
    typer.echo(
        f"{out}: {last - first} pairs of {width}x{height}, "
        f"overlap {overlap.min():.2f} to {overlap.max():.2f}, median {overlap.median():.2f}"
    )


def _two(text: str, separator: str, usage: str) -> tuple[int, int]:
    parts = text.split(separator)
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"{usage}, not {text!r}")
    return int(parts[0]), int(parts[1])
