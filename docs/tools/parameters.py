# SPDX-License-Identifier: Apache-2.0
"""The node's parameters, as declared."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tables import NOTE, table

from dens3r_ros.nodes.settings.config import NodeConfig, Rule, parameter_table

HEAD = """# Parameters

Of the node, as `ros2 param describe` tells them. `config/default.yaml` holds the same in a file to
copy from. A change is validated together with all others and refused with a reason; those marked
*live* take effect at once, the others after `ros2 lifecycle set /dens3r cleanup`.
"""


def page() -> str:
    """One table a group."""
    parts = [NOTE, HEAD]
    by_group = itertools.groupby(parameter_table(NodeConfig()), key=lambda row: _group(row[0]))
    for group, rows in by_group:
        parts.append(f"## {group}\n")
        parts.append(table(("name", "default", "values", "live", "what it is"), map(_row, rows)))
    return "\n".join(parts)


def _group(name: str) -> str:
    return name.rpartition(".")[0] or "node"


def _row(entry: tuple[str, Any, Rule]) -> tuple[str, ...]:
    name, default, rule = entry
    shown = list(default) if isinstance(default, tuple) else default
    live = "live" if rule.live else ""
    return f"`{name}`", f"`{json.dumps(shown)}`", _values(rule), live, rule.description


def _values(rule: Rule) -> str:
    if rule.choices:
        return ", ".join(f"`{choice}`" for choice in rule.choices)
    return "" if rule.low is None else f"{rule.low:g} to {rule.high:g}"
