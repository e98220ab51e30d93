# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found, for people or as JSON."""

from __future__ import annotations

from pathlib import Path

import typer

from dens3r_ros.cli.common.files import STDOUT, write_json


def write_figures(figures: dict[str, object], target: Path | None) -> None:
    """A line each; JSON to `target` besides, or instead where that is standard output."""
    from json import dumps

    if target != STDOUT:
        for name, value in figures.items():
            typer.echo(
                f"{name:<28} {value:.4g}" if isinstance(value, float) else f"{name:<28} {value}"
            )
    write_json(dumps(figures, indent=2), target)
