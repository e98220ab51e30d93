# SPDX-License-Identifier: Apache-2.0
"""When to log, when to evaluate, and when to stop so that everything is saved in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST_GUESS = 15.0
"""Seconds that saving and evaluating are taken to last until they have been seen."""
_SPARE = 3.0


class Clock:
    """Time since the run was started or resumed."""

    def __init__(
        self, log_minutes: float, evaluation_minutes: float, minutes: float | None, before: float
    ) -> None:
        """`before` is the seconds that the run had lasted when it was resumed."""
        self._log, self._evaluation = 60 * log_minutes, 60 * evaluation_minutes
        self._limit = None if minutes is None else 60 * minutes
        self._began = self._logged = self._evaluated = time.monotonic()
        self._before = before
        self._longest = _FIRST_GUESS

    def total(self) -> float:
        """Seconds of the whole run."""
        return self._before + self._passed(self._began)

    def due(self) -> bool:
        """Whether it is time to log and save."""
        return self._passed(self._logged) >= self._log

    def evaluation_due(self) -> bool:
        """Whether it is time to evaluate; asking starts the wait for the next."""
        due = self._passed(self._evaluated) >= self._evaluation
        if due:
            self._evaluated = time.monotonic()
        return due

    def over(self) -> bool:
        """Whether what is left of the time is needed for saving."""
        if self._limit is None:
            return False
        return self._passed(self._began) + 1.5 * self._longest + _SPARE > self._limit

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around logging, evaluating and saving, to learn how long they take."""
        started = time.monotonic()
        yield
        self._longest = max(time.monotonic() - started, self._longest / 2)
        self._logged = time.monotonic()

    @staticmethod
    def _passed(since: float) -> float:
        return time.monotonic() - since
