# SPDX-License-Identifier: Apache-2.0
"""`dens3r models`: which networks there are, and how their weights get here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dens3r_ros.model_store.manifest import ModelEntry

Name = Annotated[str, typer.Argument(help="A name that `dens3r models list` shows.")]

app = typer.Typer(no_args_is_help=True, help="List the known networks and fetch their weights.")


@app.command("list")
def list_models() -> None:
    """List every network known by name, and whether its weights are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from dens3r_ros.model_store.choice import choose
    from dens3r_ros.model_store.manifest import ModelError, load_manifest

    names = ("name", "family", "parameters", "licence", "companies", "metres", "here", "gives")
    table = Table(*names, box=None)
    for entry in load_manifest().values():
        count = f"{entry.parameters / 1e6:.0f} M" if entry.parameters else "not known"
        may = "may use it" if entry.licence.commercial else "may not"
        flags = ("yes" if entry.metric else "no", "yes" if entry.path else "no")
        terms = (entry.licence.name, may, *flags, entry.description)
        table.add_row(entry.name, entry.family, count, *terms)
    Console().print(table)
    try:
        choice = choose()
    except ModelError as error:
        raise _stop(str(error)) from error
    typer.echo(f"engine auto is {choice.model or 'geometric'} here: {choice.why}")


@app.command()
def info(
    name: Name,
) -> None:
    """Tell all that is known of one network, its licence in plain words among it."""
    from dens3r_ros.model_store.manifest import ModelError, find_entry

    try:
        entry = find_entry(name)
    except ModelError as error:
        raise _stop(str(error)) from error
    for label, value in _facts(entry):
        typer.echo(f"{label:<11} {value}")


def _facts(entry: ModelEntry) -> list[tuple[str, str]]:
    unknown = "not known"
    return [
        ("name", entry.name),
        ("family", entry.family),
        ("gives", entry.description),
        ("metric", "yes" if entry.metric else "no"),
        ("engine", entry.engine),
        ("parameters", f"{entry.parameters:,}" if entry.parameters else unknown),
        ("size", f"{entry.bytes:,} bytes" if entry.bytes else unknown),
        ("SHA-256", entry.sha256 or unknown),
        ("address", entry.url or "ships with dens3r_ros"),
        ("page", entry.page or "none"),
        ("licence", f"{entry.licence.title} ({entry.licence.url})"),
        ("", entry.licence.summary),
        ("companies", "may use it" if entry.licence.commercial else "may not use it"),
        ("file", str(entry.path or f"not here: dens3r models fetch {entry.name}")),
    ]


@app.command()
def fetch(
    name: Name,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Agree to the weights' licence beforehand.")
    ] = False,
) -> None:
    """Fetch a network's weights; a download that was cut goes on where it stopped."""
    from dens3r_ros.model_store.manifest import ModelError, find_entry

    try:
        entry = find_entry(name)
        if entry.path is None:
            _agree(entry, accept_license)
            _fetch_showing_progress(entry)
        typer.echo(str(entry.path))
    except ModelError as error:
        raise _stop(str(error)) from error
    except KeyboardInterrupt:
        raise _stop("stopped; what came is kept, and the same command goes on from there") from None


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="A name of `dens3r models list`, geometric or auto.")],
) -> None:
    """Make a network the one that `engine: auto` runs; `auto` goes back to the best one here."""
    from dens3r_ros.model_store import choice
    from dens3r_ros.model_store.manifest import ModelError

    try:
        choice.use(name)
        found = choice.choose()
    except (ModelError, OSError) as error:
        raise _stop(str(error)) from error
    typer.echo(f"engine auto is {found.model or 'geometric'} now: {found.why}")


def _agree(entry: ModelEntry, accepted: bool) -> None:
    terms = entry.licence
    typer.echo(f"{entry.name}: {terms.title}\n{terms.summary}\n{terms.url}", err=True)
    if accepted or terms.free:
        return
    if not sys.stdin.isatty():
        raise _stop("nothing was fetched: add --accept-license if you agree to these terms")
    if not typer.confirm("Do you agree?", err=True):
        raise _stop("nothing was fetched")


def _fetch_showing_progress(entry: ModelEntry) -> None:
    from rich import progress
    from rich.console import Console

    from dens3r_ros.model_store.fetch import fetch as fetch_file

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=None)
        fetch_file(entry, lambda done, total: bar.update(task, completed=done, total=total))


def _stop(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
