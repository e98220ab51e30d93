# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate alignment`: a handful of images as one scene, against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import JudgedEngine, MaxSide, ModelName

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.evaluation.alignment import AlignmentFigures, AlignmentOptions
    from dens3r_ros.sources.source import Source


def alignment(
    folder: Annotated[
        str, typer.Argument(help="A folder of images, a sequence, a video, or procedural:...")
    ],
    engine: JudgedEngine = "geometric",
    model: ModelName = "",
    max_side: MaxSide = 0,
    images: Annotated[
        int, typer.Option(min=2, help="Images, spread evenly; pairs grow with their square.")
    ] = 10,
    graph: Annotated[
        str, typer.Option(help="Which pairs: complete, swin-K, logwin-K or oneref-R.")
    ] = "complete",
    calibrated: Annotated[bool, typer.Option(help="Tell the engine the intrinsics.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Predict pairs of images and align all of them at once, offline.

    Errors are known where the folder brings true poses. Times are of this machine, as loaded.
    """
    from dens3r_ros.evaluation.alignment import AlignmentOptions
    from dens3r_ros.evaluation.engines import judged_engine
    from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
    from dens3r_ros.sources.opening import open_source

    try:
        source = CachedSource(open_source(folder))
        chosen = judged_engine(engine, model, source, max_side)
        figures = _aligned(source, chosen, AlignmentOptions(images, graph, calibrated))
    except KeyboardInterrupt:
        typer.echo("Stopped before the images were aligned.", err=True)
        raise typer.Exit(130) from None
    except ValueError as error:
        typer.echo(f"dens3r evaluate alignment: {error}", err=True)
        raise typer.Exit(1) from error
    _report(figures, json_file)


def _aligned(source: Source, engine: Engine, options: AlignmentOptions) -> AlignmentFigures:
    from rich.console import Console
    from rich.progress import Progress

    from dens3r_ros.evaluation.alignment import evaluate_alignment

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{source.name}: pairs", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)
            if done == total:
                progress.update(task, description=f"{source.name}: aligning", total=None)

        return evaluate_alignment(source, engine, options, show)


def _report(figures: AlignmentFigures, json_file: Path | None) -> None:
    """The table, and the file where one is wanted; with `-` the JSON alone."""
    import json
    from dataclasses import asdict

    write_json(json.dumps(asdict(figures), indent=2), json_file)
    if json_file == STDOUT:
        return
    for name, value in asdict(figures).items():
        shown = "not known" if value is None else value
        typer.echo(f"{name:18} {shown:.4g}" if isinstance(shown, float) else f"{name:18} {shown}")
