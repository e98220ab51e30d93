# SPDX-License-Identifier: Apache-2.0
"""Whether the machine decodes as quickly as images come."""

from __future__ import annotations

_MIXED = 0.2
"""Share of a running mean that one more makes up."""
_RESERVE = 0.5
"""Share of the time between images that a decoding may take to count as quick enough."""
_ENOUGH = 5
"""Decodings that must have been timed."""
_FREE = 0.5
"""Share of the time since the image before that its answer may have taken, for none to have been
dropped between."""
_EXACTLY = 2.7
"""How many times as long an exact decoding takes as a hurried one: who always hurries would else
never learn that there is time again."""


class DecodingPace:
    """Running means of the seconds between images and of those that a decoding takes."""

    def __init__(self) -> None:
        self._between: float | None = None
        self._decoding: float | None = None
        self._exact: float | None = None
        self._timed = 0
        self._stamp: int | None = None
        self._answering = 0.0

    def came(self, stamp: int) -> None:
        """An image of any camera with this stamp (ns). Whoever is slow to answer sees few of a
        camera's images; that must not look like a slow camera."""
        if self._stamp is not None:
            between = max(stamp - self._stamp, 0) * 1e-9
            whole = self._answering < _FREE * between
            if whole or self._between is None or between < self._between:
                self._between = _mixed(self._between, between)
        self._stamp = stamp

    def answered(self, seconds: float) -> None:
        """So long did the answer to the latest image take."""
        self._answering = seconds

    def took(self, seconds: float, hurried: bool = False) -> None:
        """So long did a decoding, exact or hurried, and what it brought take."""
        self._decoding, self._timed = _mixed(self._decoding, seconds), self._timed + 1
        self._exact = _mixed(self._exact, seconds * (_EXACTLY if hurried else 1))

    @property
    def lag(self) -> float:
        """Images that come while one is decoded, the first one counted; 1 before it is known."""
        return self._lag(self._decoding)

    @property
    def exact_lag(self) -> float:
        """The same of a decoding that does not hurry."""
        return self._lag(self._exact)

    @property
    def keeps_up(self) -> bool:
        """Whether every image could be decoded before its answer."""
        if self._between is None or self._decoding is None or self._timed < _ENOUGH:
            return False
        return self._decoding < _RESERVE * self._between

    def _lag(self, decoding: float | None) -> float:
        if not self._between or decoding is None:
            return 1.0
        return 1.0 + decoding / self._between


def _mixed(mean: float | None, value: float) -> float:
    return value if mean is None else mean + _MIXED * (value - mean)
