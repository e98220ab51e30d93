# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate localize`: images placed in a map, against the truth."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.options import EveryNth, JudgedEngine, MaxSide, ModelName
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.offline.localize import WAYS


def localize(
    sequence: Annotated[
        str,
        typer.Argument(help="Folder in the TUM RGB-D layout, video with poses, or procedural:..."),
    ],
    engine: JudgedEngine = "oracle",
    model: ModelName = "",
    every: EveryNth = 1,
    calibrated: Annotated[bool, typer.Option(help="Tell the intrinsics.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the oracle's noise.")] = 0,
    max_side: MaxSide = 0,
    way: Annotated[
        str, typer.Option(help="points or averaging, as in `dens3r localize`.")
    ] = "points",
    json: JsonFile = None,
) -> None:
    """Map every other frame of a sequence, and look for the frames between in that map.

    Errors are after the similarity that fits the map's own frames to the truth best; an answer more
    than half a metre off counts as wrong.
    """
    from dataclasses import asdict

    from dens3r_ros.evaluation.engines import judged_engine
    from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
    from dens3r_ros.evaluation.localising import LocalisingOptions, evaluate_localising
    from dens3r_ros.mapping.config import MapperConfig
    from dens3r_ros.sources.opening import open_source

    if way not in WAYS:
        stop(f"way {way!r} is none of {', '.join(WAYS)}")
    options = LocalisingOptions(every, calibrated, way == "averaging")
    with plain_errors():
        source = CachedSource(open_source(sequence))
        chosen = judged_engine(engine, model, source, max_side, seed)
        with following(source.name) as tell:
            figures = evaluate_localising(source, chosen, MapperConfig(), options, tell)
    known = {name: None if value != value else value for name, value in asdict(figures).items()}
    write_figures(known, json)
