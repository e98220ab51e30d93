# SPDX-License-Identifier: Apache-2.0
"""Messages and services, from their files."""

from __future__ import annotations

from pathlib import Path

from tables import NOTE, table

ROOT = Path(__file__).parents[2]


def page() -> str:
    """One table an interface; a service's request and response apart."""
    parts = [NOTE, "# Messages and services\n"]
    for path in sorted((*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv"))):
        kind = path.suffix.removeprefix(".")
        parts.append(f"## dens3r_ros/{kind}/{path.stem}\n")
        parts += _sections(path.read_text().splitlines())
    return "\n".join(parts)


def _sections(lines: list[str]) -> list[str]:
    parts: list[str] = []
    names = iter(("Request", "Response"))
    service = "---" in lines
    for section in "\n".join(lines).split("\n---\n") if service else ["\n".join(lines)]:
        if service:
            parts.append(f"**{next(names)}**\n")
        comments, rows = _fields(section.splitlines())
        if comments:
            parts.append(" ".join(comments) + "\n")
        if rows:
            parts.append(table(("field", "type", "meaning"), rows))
    return parts


def _fields(lines: list[str]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Comments before the first field, and the fields; later comments head what follows."""
    leading: list[str] = []
    rows: list[tuple[str, str, str]] = []
    for line in lines:
        code, _, comment = (part.strip() for part in line.partition("#"))
        if code:
            kind, name = code.split(None, 1)
            rows.append((f"`{name}`", f"`{kind}`", comment))
        elif comment and "SPDX" not in comment:
            if rows:
                rows.append((f"*{comment.rstrip('.')}*", "", ""))
            else:
                leading.append(comment)
    return leading, rows
