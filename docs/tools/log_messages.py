# SPDX-License-Identifier: Apache-2.0
"""Warnings and errors that the node logs, found in its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tables import NOTE, table

PACKAGE = Path(__file__).parents[2] / "dens3r_ros"
LEVELS = {"warning": "warning", "error": "error", "fatal": "fatal"}

HEAD = """# Log messages

What the node may say at warning level and above. Words in braces are filled in; most sentences say
what to do.
"""


def page() -> str:
    """One row a sentence, by module."""
    rows = sorted({row for path in PACKAGE.glob("nodes/**/*.py") for row in _of(path)})
    return "\n".join([NOTE, HEAD, table(("level", "message", "said by"), rows)])


def _of(path: Path) -> Iterator[tuple[str, str, str]]:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            text = _text(node.args[0])
            if node.func.attr in LEVELS and len(text.split()) > 2:
                yield LEVELS[node.func.attr], text, f"`{module}`"


def _text(node: ast.expr) -> str:
    """The sentence of a string or f-string; empty where it is put together elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(part) for part in node.values)
    return ""


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "{" + _name(node) + "}"


def _name(node: ast.expr) -> str:
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    return ast.unparse(inner).split(".")[-1].split("(")[0].strip("_'\" ") or "..."
