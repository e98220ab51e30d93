# SPDX-License-Identifier: Apache-2.0
"""Arguments of the launch files, read without `launch`, which only ROS brings."""

from __future__ import annotations

import ast
from pathlib import Path

from tables import NOTE, table

from dens3r_ros.nodes.starting import launching

ROOT = Path(__file__).parents[2]


def page() -> str:
    """One table a file, and one of what all share."""
    parts = [NOTE, "# Launch files\n", "`ros2 launch dens3r_ros FILE -s` shows the same.\n"]
    for path in sorted(ROOT.glob("launch/*.launch.py")):
        tree = ast.parse(path.read_text())
        parts += [f"## {path.name}\n", (ast.get_docstring(tree) or "") + "\n"]
        parts.append(_arguments(_own(tree)))
    robot = "## Of live and replay, on a robot\n"
    parts += [robot, _arguments(launching.ROBOT)]
    parts += ["## Arguments of all of them\n", _arguments(launching.COMMON)]
    return "\n".join(parts)


def _own(tree: ast.Module) -> dict[str, tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "OWN":
            return ast.literal_eval(node.value)
    return {}


def _arguments(known: dict[str, tuple[str, str]]) -> str:
    rows = ((f"`{n}`", f"`{d}`" if d else "", text) for n, (d, text) in known.items())
    return table(("argument", "default", "what it is"), rows)
