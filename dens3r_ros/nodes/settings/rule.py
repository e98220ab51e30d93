# SPDX-License-Identifier: Apache-2.0
"""What a parameter means and which values it may have, kept with its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What a parameter means and which values it may have."""

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    """Whether a change takes effect without configuring anew."""


def setting(default: Any, description: str, **rule: Any) -> Any:
    """A field of the configuration with its rule."""
    return field(default=default, metadata={"rule": Rule(description, **rule)})
