# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate places`: how many revisits are recognised by looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dens3r_ros.evaluation.places import PlaceFigures


def places(
    sequences: Annotated[
        list[str], typer.Argument(help="Sequences with depth and poses, or procedural walks.")
    ],
    every: Annotated[int, typer.Option(min=1, help="Frames from keyframe to keyframe.")] = 20,
    gap: Annotated[
        int, typer.Option(min=1, help="Keyframes between a view and its earliest revisit.")
    ] = 10,
    overlap: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the view that makes a revisit.")
    ] = 0.25,
    first: Annotated[int, typer.Option(min=1, help="Candidates that are looked at.")] = 5,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file; - is standard output.")
    ] = None,
) -> None:
    """Ask for every keyframe among those before it, and count the true places found.

    A revisit is a keyframe that shares at least OVERLAP of its visible surface, both ways, with
    one at least GAP keyframes older. Places are proposed only; loops are proven by geometry later.
    """
    from dataclasses import asdict
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from dens3r_ros.evaluation.places import PlaceOptions, evaluate_places
    from dens3r_ros.sources.opening import open_source
    from dens3r_ros.sources.source import SourceError

    options = PlaceOptions(every, gap, overlap, first)
    console = Console(stderr=True)
    try:
        found = []
        for sequence in sequences:
            with Progress(console=console, transient=True) as bar:
                task = bar.add_task(sequence)
                found.append(
                    evaluate_places(
                        open_source(sequence),
                        options,
                        lambda done, total, bar=bar, task=task: bar.update(  # type: ignore[misc]
                            task, completed=done, total=total
                        ),
                    )
                )
    except SourceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if json is None or str(json) != "-":
        _print_table(found, first)
    if json is not None:
        _write(dumps([asdict(one) for one in found], indent=2), json)


def _print_table(found: Sequence[PlaceFigures], first: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("sequence", "keyframes", "revisits", f"in first {first}", "first", "ms")
    for one in found:
        counts = (str(one.keyframes), str(one.revisits))
        shares = (f"{one.recall:.1%}", f"{one.recall_at_1:.1%}", f"{one.ms_per_keyframe:.1f}")
        table.add_row(one.sequence, *counts, *shares)
    Console().print(table)


def _write(text: str, file: Path) -> None:
    if str(file) == "-":
        typer.echo(text)
    else:
        file.write_text(text + "\n", encoding="utf-8")
