# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate photos`: photos in no order as one scene, against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.sources.source import Source


def photos(
    source: Annotated[
        str,
        typer.Argument(
            help="procedural:photos?seed=S&count=N, a folder with a model of COLMAP, or a sequence "
            "with true poses."
        ),
    ],
    engine: Annotated[
        str, typer.Option(help="oracle, geometric, torch, onnx, hybrid or module:factory.")
    ] = "geometric",
    model: Annotated[str, typer.Option(help="Name or path of a model, for networks.")] = "",
    max_side: Annotated[
        int, typer.Option(min=0, help="Long side to work at, in pixels; 0 is 512.")
    ] = 0,
    every: Annotated[int, typer.Option(min=1, help="Take each N-th image of a sequence.")] = 1,
    most: Annotated[int, typer.Option(min=0, help="Take at most so many; 0 takes all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the order in which they are given.")] = 0,
    calibrated: Annotated[
        bool, typer.Option("--calibrated/--uncalibrated", help="Tell the engine the lenses.")
    ] = True,
    json: JsonFile = None,
) -> None:
    """Compare and align photos as `dens3r reconstruct --mode photos` does, in a shuffled order.

    Prints how many find their place, how accurate pairs of them are, and the error of positions.
    Times are of this machine, as loaded.
    """
    from dataclasses import asdict
    from json import dumps

    from dens3r_ros.evaluation.photos import PhotoOptions, evaluate_photos
    from dens3r_ros.sources.opening import open_source

    options = PhotoOptions(every, most, seed, calibrated)
    with plain_errors():
        opened = open_source(source)
        chosen = _engine(engine, model, opened, max_side or 512)
        with following(f"{source}: pairs") as tell:
            figures = evaluate_photos(opened, chosen, options, tell)
    if json != STDOUT:
        for name, value in asdict(figures).items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            typer.echo(f"{name:18} {shown}")
    write_json(dumps(asdict(figures), indent=2), json)


def _engine(name: str, model: str, source: Source, side: int) -> Engine:
    if name == "oracle":
        from dens3r_ros.evaluation.oracle.oracle import OracleEngine

        return OracleEngine(source, long_side=side)
    from dens3r_ros.evaluation.engines import engine_named

    return engine_named(name, model, side)
