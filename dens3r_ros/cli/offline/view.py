# SPDX-License-Identifier: Apache-2.0
"""`dens3r view`: a saved map, a folder of results or splats in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.progress import following


def view(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="MAP_OR_DIR",
            help="A map file, what reconstruct wrote, or splats: .ply, .splat, .spz.",
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page; 0 is a free one.")
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines look.")
    ] = "127.0.0.1",
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = True,
) -> None:
    """Look at cloud, mesh, splats and keyframes, measure distances, cut boxes. Ends with Ctrl-C."""
    import threading
    import webbrowser

    from dens3r_ros.viewer.browser import Browser
    from dens3r_ros.viewer.content import read_content

    with plain_errors():
        with following(f"reading {path}"):
            content = read_content(path)
        browser = Browser(content, host, port)
    typer.echo(f"{content.name} is shown at {browser.address}; Ctrl-C ends it.", err=True)
    if open_page:
        webbrowser.open(browser.address)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        browser.close()
