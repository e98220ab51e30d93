# SPDX-License-Identifier: Apache-2.0
"""`dens3r models`: which networks there are, and how their weights get here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.progress import following

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
    with plain_errors(ModelError):
        choice = choose()
    typer.echo(f"engine auto is {choice.model or 'geometric'} here: {choice.why}")


@app.command()
def info(
    name: Name,
) -> None:
    """Tell all that is known of one network, its licence in plain words among it."""
    from dens3r_ros.model_store.manifest import ModelError, find_entry

    with plain_errors(ModelError):
        entry = find_entry(name)
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
        ("address", entry.url or ("by hand" if entry.page else "ships with dens3r_ros")),
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

    with plain_errors(ModelError):
        entry = find_entry(name)
    try:
        if entry.path is None:
            if entry.url is not None:
                _agree(entry, accept_license)
            with plain_errors(ModelError, code=FAILED):
                _fetch_showing_progress(entry)
        typer.echo(str(entry.path))
    except KeyboardInterrupt:
        stop("stopped; what came is kept, and the same command goes on from there", FAILED)


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="A name of `dens3r models list`, geometric or auto.")],
) -> None:
    """Make a network the one that `engine: auto` runs; `auto` goes back to the best one here."""
    from dens3r_ros.model_store import choice
    from dens3r_ros.model_store.manifest import ModelError

    with plain_errors(ModelError, OSError):
        choice.use(name)
        found = choice.choose()
    typer.echo(f"engine auto is {found.model or 'geometric'} now: {found.why}")


def _agree(entry: ModelEntry, accepted: bool) -> None:
    terms = entry.licence
    typer.echo(f"{entry.name}: {terms.title}\n{terms.summary}\n{terms.url}", err=True)
    if accepted or terms.free:
        return
    if not sys.stdin.isatty():
        stop("nothing was fetched: add --accept-license if you agree to these terms")
    if not typer.confirm("Do you agree?", err=True):
        stop("nothing was fetched", FAILED)


def _fetch_showing_progress(entry: ModelEntry) -> None:
    from dens3r_ros.model_store.fetch import fetch as fetch_file

    def megabytes(done: int, total: int | None) -> None:
        tell(done / 1e6, None if total is None else total / 1e6, f"({done / 1e6:.0f} MB)")

    with following(entry.name) as tell:
        fetch_file(entry, megabytes)
