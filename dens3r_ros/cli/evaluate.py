# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate`: engines against the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import ImageSize, Size
from dens3r_ros.cli.evaluating.alignment import alignment
from dens3r_ros.cli.evaluating.cloud import cloud
from dens3r_ros.cli.evaluating.motion import motion
from dens3r_ros.cli.evaluating.parity import parity
from dens3r_ros.cli.evaluating.photos import photos
from dens3r_ros.cli.evaluating.places import places
from dens3r_ros.cli.evaluating.sequences import sequences
from dens3r_ros.cli.offline.evaluate_localize import localize
from dens3r_ros.cli.splats.evaluate import splats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dens3r_ros.evaluation.image_pairs.pair_sets import PairSet

SMALL = Size(320, 240)
app = typer.Typer(no_args_is_help=True, help="Measure engines and the mapper against the truth.")
app.command()(sequences)
app.command()(motion)
app.command()(places)
app.command()(cloud)
app.command()(alignment)
app.command()(parity)
app.command()(photos)
app.command()(splats)
app.command()(localize)


@app.command()
def pairs(
    source: Annotated[
        Path | None,
        typer.Option(help="A sequence in the TUM RGB-D layout, with depth, poses, camera.yaml."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Procedural pairs instead, from seed A to before B: A:B.")
    ] = None,
    size: ImageSize = SMALL,
    overlap: Annotated[
        str, typer.Option(help="Only procedural pairs whose views overlap so much, as LOW:HIGH.")
    ] = "0:1",
    engine: Annotated[
        str, typer.Option(help="geometric, hybrid, torch, onnx, constant, plane or module:factory.")
    ] = "geometric",
    model: Annotated[
        str,
        typer.Option(help="Network of torch, onnx or hybrid: a path, or name of `models list`."),
    ] = "",
    max_side: Annotated[
        int, typer.Option(min=0, help="Long side to work at, in pixels; 0 is the engine's choice.")
    ] = 0,
    gap: Annotated[
        int, typer.Option(min=1, help="Frames from the first of a pair to the second.")
    ] = 3,
    every: Annotated[int, typer.Option(min=1, help="Start a pair at every N-th frame.")] = 1,
    calibrated: Annotated[bool, typer.Option(help="Tell the engine the intrinsics.")] = False,
    confidence: Annotated[
        float, typer.Option(min=1.0, help="Above it a pixel counts as confident.")
    ] = 1.5,
    json_file: JsonFile = None,
) -> None:
    """Depth, points, normals, poses, matches and focal lengths of image pairs.

    Scales are aligned by the median depth of each pair. Times are of this machine, as loaded.
    """
    from dens3r_ros.evaluation.engines import engine_named
    from dens3r_ros.evaluation.image_pairs.scoring import evaluate_pairs

    with plain_errors():
        pair_set = _pair_set(source, seeds, size, overlap, gap, every)
        chosen = engine_named(engine, model, max_side)
        scored = evaluate_pairs(chosen, pair_set, calibrated, confidence)
        scores, whole = _collected(scored, pair_set)
    heading = {"engine": engine, "model": chosen.info.model, "set": pair_set.name}
    _conclude(heading | {"calibrated": calibrated}, scores, whole, json_file)


def _conclude(
    heading: dict[str, object], scores: list[dict], whole: bool, json_file: Path | None
) -> None:
    """Report what there is; the exit code tells of nothing found, and of Ctrl-C."""
    from dens3r_ros.evaluation.image_pairs.table import summary

    if not scores and whole:
        stop(f"{heading['set']}: there are none")
    if scores:
        _report(heading | summary(scores), json_file)
    if not whole:
        raise typer.Exit(130)


def _pair_set(
    source: Path | None, seeds: str | None, size: Size, overlap: str, gap: int, every: int
) -> PairSet:
    from dens3r_ros.evaluation.image_pairs.pair_sets import ProceduralPairs, SequencePairs
    from dens3r_ros.sources import open_source

    if (source is None) == (seeds is None):
        raise typer.BadParameter("give either --source FOLDER or --seeds A:B.")
    if source is not None:
        return SequencePairs(open_source(source), gap, every)
    start, end = _two_numbers(seeds or "", ":", "--seeds", "A:B with A less than B")
    if end <= start:
        raise typer.BadParameter(f"--seeds {seeds}: A:B with A less than B.")
    return ProceduralPairs(range(start, end), size.rows_first, _shares(overlap))


def _shares(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low < high <= 1:
        raise typer.BadParameter(f"--overlap {text}: LOW:HIGH with 0 <= LOW < HIGH <= 1.")
    return low, high


def _two_numbers(text: str, between: str, option: str, form: str) -> tuple[int, int]:
    parts = text.split(between)
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"{option} {text}: {form}, in whole numbers.")
    return int(parts[0]), int(parts[1])


def _collected(scores: Iterator[dict], pair_set: PairSet) -> tuple[list[dict], bool]:
    """All scores; on Ctrl-C those so far, and False."""
    done: list[dict] = []
    try:
        with following(pair_set.name, len(pair_set)) as tell:
            for score in scores:
                done.append(score)
                tell(len(done))
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {len(done)} of {len(pair_set)} pairs were evaluated.", err=True)
        return done, False
    return done, True


def _report(figures: dict, json_file: Path | None) -> None:
    """The table, and the file where one is wanted; with `-` the JSON alone."""
    if json_file != STDOUT:
        _print_table(figures)
    write_json(json.dumps(figures, indent=2), json_file)


def _print_table(figures: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", box=None)
    for name, value in figures.items():
        table.add_row(name, _shown(value))
    Console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(f"{number:.3g}" for number in value)
    if value is None:
        return "not known"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
