# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate places`: how many revisits are recognised by looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.progress import following

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
    json: JsonFile = None,
) -> None:
    """Ask for every keyframe among those before it, and count the true places found.

    A revisit is a keyframe that shares at least OVERLAP of its visible surface, both ways, with
    one at least GAP keyframes older. Places are proposed only; loops are proven by geometry later.
    """
    from dataclasses import asdict
    from json import dumps

    from dens3r_ros.evaluation.places import PlaceOptions, evaluate_places
    from dens3r_ros.sources.opening import open_source

    options = PlaceOptions(every, gap, overlap, first)
    found = []
    for sequence in sequences:
        with following(sequence) as tell, plain_errors():
            found.append(evaluate_places(open_source(sequence), options, tell))
    if json != STDOUT:
        _print_table(found, first)
    write_json(dumps([asdict(one) for one in found], indent=2), json)


def _print_table(found: Sequence[PlaceFigures], first: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("sequence", "keyframes", "revisits", f"in first {first}", "first", "ms")
    for one in found:
        counts = (str(one.keyframes), str(one.revisits))
        shares = (f"{one.recall:.1%}", f"{one.recall_at_1:.1%}", f"{one.ms_per_keyframe:.1f}")
        table.add_row(one.sequence, *counts, *shares)
    Console().print(table)
