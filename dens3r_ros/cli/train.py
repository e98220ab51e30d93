# SPDX-License-Identifier: Apache-2.0
"""`dens3r train`: train a network on procedural scenes, and see what these look like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import writable, writable_folder
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import ImageSize, Size

if TYPE_CHECKING:
    from dens3r_ros.training.trainer import Progress as Standing
    from dens3r_ros.training.trainer import Watch

SMALL = Size(160, 120)
app = typer.Typer(help="Train a network on procedural scenes, or look at the scenes.")

Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change it: phases.*.losses.matching=0"),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The run, for example config/training/tiny.yaml.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for state, weights, log, pictures.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on from the state in this folder, by its own configuration unless --config "
            "names another; if it is --out, begin where there is none."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop, all saved, before this time is over.")
    ] = None,
    changes: Changes = None,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads of torch.")] = None,
) -> None:
    """Train a network on procedural scenes, or look at the scenes.

    `dens3r train --config FILE` trains; Ctrl-C saves and ends, `dens3r train --resume RUN` goes on.
    The commands below do the rest.
    """
    if context.invoked_subcommand is not None:
        return
    if config is None and resume is None:
        typer.echo(context.get_help())
        raise typer.Exit(0)
    from dens3r_ros.training.entry import Request
    from dens3r_ros.training.entry import train as run

    request = Request(config, out, resume, minutes, tuple(changes or ()), device, threads)
    with _progress("Training") as watch, plain_errors():
        run(request, watch)
    picture = ", heldout.png" if (request.folder / "heldout.png").exists() else ""
    typer.echo(f"{request.folder}: state, weights.safetensors, log.csv{picture}")


@app.command()
def ablate(
    config: Annotated[Path, typer.Option(help="The run to shorten and take apart.")],
    pairs: Annotated[int, typer.Option(min=1, help="Pairs that each variant learns from.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/ablation"),
    changes: Changes = None,
    device: Device = "auto",
) -> None:
    """Measure what each part of the recipe is worth: equal short runs, each without one part.

    Ctrl-C saves and ends; the same command goes on where it was.
    """
    from rich.console import Console
    from rich.table import Table

    from dens3r_ros.training.ablation import MEASURES
    from dens3r_ros.training.ablation import ablate as run
    from dens3r_ros.training.config_reader import read_config

    names = [measure.removeprefix("held_") for measure in MEASURES]
    table = Table("variant", "seconds", *names, title=f"{config.stem}, {pairs} pairs each")
    runs = out / f"{config.stem}-{pairs}"
    writable_folder(runs)
    with _progress("Ablation") as watch, plain_errors():
        for outcome in run(read_config(config, changes), pairs, runs, device, watch):
            errors = [outcome.errors.get(measure) for measure in MEASURES]
            shown = ["-" if error is None else f"{error:.3g}" for error in errors]
            table.add_row(outcome.name, f"{outcome.seconds:.0f}", *shown)
    Console().print(table)


@contextmanager
def _progress(title: str) -> Iterator[Watch]:
    """How far it is, with the log's lines above."""
    from dens3r_ros.training.journal import spoken

    with following(title) as tell:

        def watch(progress: Standing) -> None:
            tell(progress.pairs, progress.total_pairs, "pairs")
            if progress.row is not None:
                typer.echo(spoken(progress.row))

        yield watch


@app.command()
def preview(
    seeds: Annotated[str, typer.Option(help="Which pairs, as FIRST:END.")] = "0:16",
    size: ImageSize = SMALL,
    out: Annotated[
        Path, typer.Option(callback=writable, help="The picture to write, .jpg or .png.")
    ] = Path("preview.png"),
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
    if first >= last:
        raise typer.BadParameter(f"{seeds} holds no pairs: END must be greater than FIRST")
    config = SceneConfig(worlds=((world, 1.0),)) if world else SceneConfig()
    try:
        with following("preview"):
            pairs = sample_pairs(range(first, last), *size.rows_first, config=config)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with plain_errors():
        Image.fromarray(contact_sheet(pairs, columns).numpy()).save(out, quality=88)
    overlap = pairs.overlap
    typer.echo(
        f"{out}: {last - first} pairs of {size}, "
        f"overlap {overlap.min():.2f} to {overlap.max():.2f}, median {overlap.median():.2f}"
    )


def _two(text: str, separator: str, usage: str) -> tuple[int, int]:
    parts = text.split(separator)
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"{usage}, not {text!r}")
    return int(parts[0]), int(parts[1])
