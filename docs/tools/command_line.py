# SPDX-License-Identifier: Apache-2.0
"""Every `dens3r` command with its options, as `--help` has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from tables import NOTE, table

from dens3r_ros.cli.main import app


def page() -> str:
    """One section a command."""
    parts = [NOTE, "# Command line\n", "`source scripts/activate` first, or any ROS overlay.\n"]
    for path, command in _commands("dens3r", typer.main.get_command(app)):
        parts += [f"## {path}\n", _help(command.help) + "\n"]
        rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append(table(("option", "default", "what it is"), rows))
    return "\n".join(parts)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name in sorted(inner):
        yield from _commands(f"{path} {name}", inner[name])


def _help(text: str | None) -> str:
    """Paragraphs as they are; tables of a help text (after \\b) in a block of their own."""
    paragraphs = (text or "").split("\f")[0].split("\n\n")
    return "\n\n".join(
        f"```text\n{inspect.cleandoc(part.replace(chr(8), ''))}\n```" if "\b" in part else part
        for part in map(inspect.cleandoc, paragraphs)
    )


def _row(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        name = f"`{(parameter.metavar or parameter.name).upper()}`"
    else:
        name = ", ".join(f"`{option}`" for option in parameter.opts)
    default = parameter.default
    shown = "" if default in (None, "", (), []) or callable(default) else f"`{default}`"
    if parameter.required:
        shown = "required"
    return name, shown, getattr(parameter, "help", None) or ""
