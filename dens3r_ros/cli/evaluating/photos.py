# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate photos`: photos in no order as one scene, against the truth."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import (
    EveryNth,
    JudgedEngine,
    MaxSide,
    ModelName,
    work_side,
)
from dens3r_ros.cli.common.progress import following


def photos(
    source: Annotated[
        str,
        typer.Argument(
            help="procedural:photos?seed=S&count=N, a folder with a model of COLMAP, or a sequence "
            "with true poses."
        ),
    ],
    engine: JudgedEngine = "geometric",
    model: ModelName = "",
    max_side: MaxSide = 0,
    every: EveryNth = 1,
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

    from dens3r_ros.evaluation.engines import judged_engine
    from dens3r_ros.evaluation.photos import PhotoOptions, evaluate_photos
    from dens3r_ros.sources.opening import open_source

    options = PhotoOptions(every, most, seed, calibrated)
    with plain_errors():
        opened = open_source(source)
        chosen = judged_engine(engine, model, opened, work_side(engine, max_side))
        with following(f"{source}: pairs") as tell:
            figures = evaluate_photos(opened, chosen, options, tell)
    if json != STDOUT:
        for name, value in asdict(figures).items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            typer.echo(f"{name:18} {shown}")
    write_json(dumps(asdict(figures), indent=2), json)
