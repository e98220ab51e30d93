# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate motion`: what moves against masks, and what telling it does to the map."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import EveryNth, JudgedEngine, ModelName
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.evaluation.moving.truth import MaskFolder
    from dens3r_ros.sources.source import Source

_SHOWN = (
    ("sequence", "sequence"),
    ("J", "j"),
    ("F", "f"),
    ("static lost", "static_lost"),
    ("ATE m", "ate_sim3_m"),
    ("off m", "ate_off_m"),
    ("Chamfer m", "chamfer_m"),
    ("off m", "chamfer_off_m"),
    ("on movers", "on_movers"),
    ("off", "on_movers_off"),
)


def motion(
    sequence: Annotated[
        list[str],
        typer.Argument(
            help="Sequences with poses; procedural:crowd, door and street-cars know what moves."
        ),
    ],
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of masks named by stamp, as images of the TUM layout are; 255 moves."
        ),
    ] = None,
    paste_movers: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            help="Put so many rendered people into the pictures, at true depth: of a sequence with "
            "poses, depth and a lens. Also runs the sequence as it is (ate_clean_m).",
        ),
    ] = 0,
    paste_seed: Annotated[int, typer.Option(help="Which people, and how they walk.")] = 0,
    engine: JudgedEngine = "geometric",
    model: ModelName = "",
    size: Annotated[int, typer.Option(min=0, help="Long side to work at; 0 is the usual.")] = 0,
    every: EveryNth = 1,
    calibrated: Annotated[bool, typer.Option(help="Tell intrinsics that are known.")] = True,
    mask: Annotated[
        str, typer.Option("--weights", help="soft weighs by probability, hard leaves out.")
    ] = "soft",
    json_file: JsonFile = None,
) -> None:
    """Masks of what moves, and the mapper with and without them.

    J is intersection over union on what moved more than 2 pixels since the frame before, F that of
    boundaries, static lost the share of still pixels called moving; then the trajectory's and the
    surface's errors, and the share of map points on movers, each also with motion off.
    """
    rows: list[dict[str, object]] = []
    interrupted = False
    try:
        with plain_errors():
            if mask not in ("soft", "hard"):
                stop(f"--weights {mask} is neither soft nor hard")
            folder = _masks(masks, sequence, paste_movers)
            for name in sequence:
                source = _source(name)
                shared = (engine, model, size, every, calibrated)
                if paste_movers:
                    crowded = _crowded(source, paste_movers, paste_seed)
                    row = _row(crowded, None, *shared, mask) | _clean(source, *shared)
                else:
                    row = _row(source, folder, *shared, mask)
                rows.append(row)
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {len(rows)} sequence(s) were finished.", err=True)
        interrupted = True
    _report(rows, json_file)
    if interrupted:
        raise typer.Exit(130)


def _masks(folder: Path | None, sequences: list[str], pasted: int) -> MaskFolder | None:
    from dens3r_ros.evaluation.moving.truth import MaskFolder

    if folder is None:
        return None
    if pasted:
        stop("--masks is of what moves by itself; --paste-movers knows where its people are")
    if len(sequences) > 1:
        stop("--masks belongs to one sequence; name one")
    return MaskFolder(folder)


def _source(name: str) -> Source:
    from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
    from dens3r_ros.sources.opening import open_source

    return CachedSource(open_source(name))


def _crowded(source: Source, people: int, seed: int) -> Source:
    from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
    from dens3r_ros.evaluation.moving.pasted import PastedMovers

    return CachedSource(PastedMovers(source, people, seed))


def _clean(
    source: Source, engine: str, model: str, size: int, every: int, calibrated: bool
) -> dict[str, object]:
    from dens3r_ros.evaluation.engines import judged_engine
    from dens3r_ros.evaluation.moving.running import MotionOptions, evaluate_clean
    from dens3r_ros.mapping.config import MapperConfig

    options = MotionOptions(every=every, calibrated=calibrated)
    frames = count(1)
    with following(source.name, len(range(0, len(source), every))) as tell:
        return evaluate_clean(
            source,
            lambda: judged_engine(engine, model, source, size),
            MapperConfig(),
            options,
            lambda: tell(next(frames)),
        )


def _row(
    source: Source,
    masks: MaskFolder | None,
    engine: str,
    model: str,
    size: int,
    every: int,
    calibrated: bool,
    mask: str,
) -> dict[str, object]:
    from dens3r_ros.evaluation.engines import judged_engine
    from dens3r_ros.evaluation.moving.running import MotionOptions, evaluate_motion
    from dens3r_ros.mapping.config import MapperConfig
    from dens3r_ros.mapping.motion.config import MotionConfig

    options = MotionOptions(every=every, calibrated=calibrated)
    frames = count(1)
    with following(source.name, 2 * len(range(0, len(source), every))) as tell:
        figures = evaluate_motion(
            source,
            lambda: judged_engine(engine, model, source, size),
            MapperConfig(motion=MotionConfig(masks="hard" if mask == "hard" else "soft")),
            options,
            masks,
            lambda: tell(next(frames)),
        )
    return figures | {"engine": engine, "every": every, "calibrated": calibrated, "weights": mask}


def _report(rows: list[dict[str, object]], json_file: Path | None) -> None:
    """The table, and the file where one is wanted; with `-` the JSON alone."""
    from rich.console import Console
    from rich.table import Table

    from dens3r_ros.evaluation.image_sequences.table import as_json

    if rows and json_file != STDOUT:
        shown = (*_SHOWN, ("clean m", "ate_clean_m")) if "ate_clean_m" in rows[0] else _SHOWN
        table = Table(*(title for title, _ in shown), box=None)
        for row in rows:
            table.add_row(*(_text(row.get(key)) for _, key in shown))
        Console().print(table)
    write_json(as_json(rows), json_file)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "not known" if value != value else f"{value:.4g}"
    return str(value)
