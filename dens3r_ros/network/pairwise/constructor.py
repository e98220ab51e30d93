# SPDX-License-Identifier: Apache-2.0
"""Reads the constructor call that official checkpoints carry as text, without running it."""

from __future__ import annotations

import ast
import math
from typing import Any

_LONGEST = 20_000
_NAMES = {"inf": math.inf, "nan": math.nan}


def parse_constructor(text: str) -> tuple[str, dict[str, Any]]:
    """Class name and keyword arguments of a call written in Python.

    Only literals, `inf` and minus signs are understood; raises ValueError on anything else.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a constructor call of {len(text)} characters")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"not a constructor call: {text[:80]!r}") from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"not a constructor call: {text[:80]!r}")
    if call.args:
        raise ValueError("arguments without names")
    arguments = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ValueError("** in a constructor call")
        arguments[keyword.arg] = _value(keyword.value)
    return call.func.id, arguments


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _value(node.operand)
        if isinstance(operand, int | float):
            return -operand
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(element) for element in node.elts)
    raise ValueError(f"{ast.unparse(node)[:80]!r} as the value of an argument")
