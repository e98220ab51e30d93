# SPDX-License-Identifier: Apache-2.0
"""Work in steps, between which others may go on."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

R = TypeVar("R")


def next_step(steps: Generator[None, None, R]) -> R | None:
    """Do one step; what comes of all of them after the last one, else None."""
    try:
        next(steps)
    except StopIteration as ended:
        result: R = ended.value
        return result
    return None


def done_at_once(steps: Generator[None, None, R]) -> R:
    """What comes of all steps, one right after the other."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            result: R = ended.value
            return result
