# SPDX-License-Identifier: Apache-2.0
"""Errors that a person can mend: one sentence, exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

MISTAKEN, FAILED = 2, 1
"""Exit codes: of what cannot be as it was asked for, and of work that went wrong."""


def stop(problem: object, code: int = MISTAKEN) -> NoReturn:
    """Say what is wrong in one line, and end."""
    typer.echo(f"error: {sentence(problem)}", err=True)
    raise typer.Exit(code)


@contextmanager
def plain_errors(*kinds: type[Exception], code: int = MISTAKEN) -> Iterator[None]:
    """Tell errors of these kinds in a line instead of a traceback.

    Without kinds: what wrong names, files, permissions and missing packages raise.
    """
    expected = kinds or (ValueError, OSError, ImportError)
    try:
        yield
    except expected as error:
        stop(error, code)


def sentence(problem: object) -> str:
    """One line of what an error says."""
    if isinstance(problem, OSError) and problem.strerror and problem.filename is not None:
        return f"{problem.filename}: {problem.strerror}"
    if isinstance(problem, UnicodeDecodeError):
        return f"not a text file: {problem}"
    return " ".join(str(problem).split()) or type(problem).__name__
