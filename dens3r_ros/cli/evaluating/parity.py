# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate parity`: our numbers beside those of published code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dens3r_ros.evaluation.parity.report import FileReport


def parity(
    folder: Annotated[Path, typer.Argument(help="Files of published numbers, or one of them.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file, - for stdout.")
    ] = None,
) -> None:
    """What this package computes from the weights and images of files, beside what they publish.

    Prints the largest error of every output and the tolerance for it. The exit code is 1 where one
    is beyond it, or where a file could not be compared: a kind that is not known is named and
    never counts as passed. What this package leaves out on purpose is said so, and is no failure.
    Files of full-size networks need some 5 GB of memory.
    """
    from dens3r_ros.evaluation.parity.kinds import check, fixture_files
    from dens3r_ros.evaluation.parity.report import summary

    files = fixture_files(folder)
    if not files:
        typer.echo(f"dens3r evaluate parity: {folder}: no .npz or .json files there.", err=True)
        raise typer.Exit(1)
    quiet = json_file == Path("-")
    reports: list[FileReport] = []
    try:
        for number, file in enumerate(files, start=1):
            typer.echo(f"[{number}/{len(files)}] {file}", err=True)
            reports.append(check(file))
            if not quiet:
                _print(reports[-1])
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {len(reports)} of {len(files)} files were compared.", err=True)
    figures = summary(reports)
    _write(figures, json_file)
    if not quiet:
        _conclude(figures)
    if len(reports) < len(files):
        raise typer.Exit(130)
    if figures["off"] + figures["unknown"] + figures["failed"]:
        raise typer.Exit(1)


def _print(report: FileReport) -> None:
    from dens3r_ros.evaluation.parity.report import lines

    typer.echo(f"{report.path.name}: {report.kind or 'unknown kind'}: {report.status}")
    if report.message:
        typer.echo(f"  {report.message}")
    rows = [("output", "largest error", "tolerance", "unit", ""), *lines(report)]
    if len(rows) > 1:
        width = max(len(row[0]) for row in rows)
        for name, error, tolerance, unit, remark in rows:
            line = f"  {name:<{width}}  {error:>13}  {tolerance:>9}  {unit:<17}  {remark}"
            typer.echo(line.rstrip())


def _write(figures: dict, json_file: Path | None) -> None:
    text = json.dumps(figures, indent=2) + "\n"
    if json_file == Path("-"):
        sys.stdout.write(text)
    elif json_file is not None:
        json_file.write_text(text)


def _conclude(figures: dict) -> None:
    counts = {
        "passed": "passed",
        "off": "beyond a tolerance",
        "unknown": "of a kind not known here (not counted as passed)",
        "failed": "could not be compared",
        "left out": "of what this package leaves out (not counted as passed)",
    }
    told = [f"{figures[status]} {words}" for status, words in counts.items() if figures[status]]
    typer.echo(f"{len(figures['files'])} files: {', '.join(told)}.")
