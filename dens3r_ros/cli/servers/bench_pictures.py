# SPDX-License-Identifier: Apache-2.0
"""`dens3r bench pictures`: what compressing images on their way to a server changes."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.progress import following

USUAL = "procedural:walk?seed=1&frames=200&size=320x240"


def pictures(
    sequence: Annotated[
        str, typer.Argument(help="A folder of images, a video, or procedural:...")
    ] = USUAL,
    model: Annotated[str, typer.Option(help="Path, or name of `dens3r models list`.")] = (
        "dens3r-tiny"
    ),
    gap: Annotated[int, typer.Option(min=1, help="Frames between the two images of a pair.")] = 3,
    pairs: Annotated[int, typer.Option(min=1, max=1000, help="How many, spread evenly.")] = 20,
    json: JsonFile = None,
) -> None:
    """Compare a network's points from compressed images with those from the images as they are.

    \b
    jpeg_90_kb                    kilobytes an image at the network's size
    jpeg_90_points_percent        of their distance by which points change, median over pixels
    jpeg_90_points_worst_percent  the same in the worst twentieth of the pixels
    """
    from dens3r_ros.engines.bench.pictures import bench_pictures
    from dens3r_ros.engines.loading import load_engine
    from dens3r_ros.engines.serving.service import sizing_of
    from dens3r_ros.sources import open_source

    with following("bench pictures"), plain_errors():
        engine, source = load_engine("auto", model), open_source(sequence)
        if len(source) <= gap:
            raise ValueError(f"{sequence} has {len(source)} images: --gap {gap} needs more")
        count = min(pairs, len(source) - gap)
        starts = [n * (len(source) - gap) // count for n in range(count)]
        chosen = [(source[n], source[n + gap]) for n in starts]
        figures = bench_pictures(
            engine, sizing_of(engine), chosen, lambda line: typer.echo(line, err=True)
        )
    write_figures(figures, json)
