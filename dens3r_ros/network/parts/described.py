# SPDX-License-Identifier: Apache-2.0
"""Descriptions, which are frozen dataclasses of plain values, as JSON and back."""

from __future__ import annotations

import json
import types
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(description: Any) -> str:
    """As one line of JSON."""
    return json.dumps(asdict(description), sort_keys=True)


def from_values(kind: type[T], values: Any) -> T:
    """The inverse of `asdict`; raises ValueError, TypeError or LookupError on anything else."""
    hints = get_type_hints(kind)
    unknown = set(values) - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**{name: _typed(hints[name], value) for name, value in values.items()})


def _typed(hint: Any, value: Any) -> Any:
    if get_origin(hint) is types.UnionType:
        inner = [part for part in get_args(hint) if part is not type(None)]
        return None if value is None else _typed(inner[0], value)
    if get_origin(hint) is tuple:
        return tuple(value)
    return from_values(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value
