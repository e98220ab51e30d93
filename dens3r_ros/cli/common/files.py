# SPDX-License-Identifier: Apache-2.0
"""Files and folders of the command line, tried before any work begins."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import stop

STDOUT = Path("-")


def writable(path: Path | None) -> Path | None:
    """A file that can be written in a folder that is there, or the end."""
    if path is None or path == STDOUT:
        return path
    if path.is_dir():
        stop(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        stop(f"the folder {path.parent} does not exist; make it first")
    if path.exists():
        if not os.access(path, os.W_OK):
            stop(f"{path} cannot be written: it is not yours to change")
    else:
        _try_folder(path.parent)
    return path


def writable_folder(path: Path | None) -> Path | None:
    """A folder for results, made where it is missing, or the end."""
    if path is None:
        return path
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        stop(f"{path} is a file; name a folder")
    except OSError as error:
        stop(f"the folder {path} cannot be made: {error.strerror}")
    _try_folder(path)
    return path


def _try_folder(folder: Path) -> None:
    # Permissions alone say too little: of /proc, of a full disk, of one that is read only.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        stop(f"nothing can be written into {folder}: {error.strerror}")


JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", callback=writable, help="Write the figures to this file; - is standard output."
    ),
]


def write_json(text: str, target: Path | None) -> None:
    """Write to the file that was asked for, if one was."""
    if target == STDOUT:
        typer.echo(text)
    elif target is not None:
        target.write_text(text + "\n", encoding="utf-8")
