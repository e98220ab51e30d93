# SPDX-License-Identifier: Apache-2.0
"""`dens3r doctor`: is everything here that is needed, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.health.finding import Finding, Level

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Look at Python, ROS 2, torch, models and disk; exit code 1 where something is broken."""
    from dens3r_ros.cli.health.report import as_json, examine, exit_code

    with following("doctor"):
        findings = examine()
    if json:
        typer.echo(as_json(findings))
    else:
        _show(findings)
    raise typer.Exit(exit_code(findings))


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        colour = COLOURS[finding.level]
        fix = f"\n[bold]-> {escape(finding.fix)}[/]" if finding.fix else ""
        table.add_row(
            f"[{colour}]{finding.level.value}[/]",
            escape(finding.name),
            escape(finding.found) + fix,
        )
    Console().print(table)
