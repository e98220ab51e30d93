# SPDX-License-Identifier: Apache-2.0
"""One line of the doctor's report."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum
from types import ModuleType


class Level(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do about it."""

    name: str
    level: Level
    found: str
    fix: str = ""


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, found)


def warning(name: str, found: str, fix: str) -> Finding:
    """Something works less well, or not at all for some uses."""
    return Finding(name, Level.WARNING, found, fix)


def error(name: str, found: str, fix: str) -> Finding:
    """Nothing useful works until this is mended."""
    return Finding(name, Level.ERROR, found, fix)


def load(module: str) -> ModuleType | str:
    """The module, or in one line why it does not load.

    Compiled packages fail with OSError where a shared library is missing, with ValueError or
    RuntimeError where they were built for another NumPy.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, ValueError, RuntimeError, AttributeError) as problem:
        return f"{type(problem).__name__}: {problem}".splitlines()[0]


def version_of(module: ModuleType) -> str:
    """The version that a package says it has."""
    return str(getattr(module, "__version__", "of unknown version"))
