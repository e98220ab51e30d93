# SPDX-License-Identifier: Apache-2.0
"""Whether the server answers, when it is tried again, and what a person would like to know."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

from dens3r_ros.engines.protocol import EngineAway

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
"""The longest one decides how soon a server is used that is back."""
_TIMED = 200
"""Round trips whose times are kept."""


class Health:
    """Pauses that grow with every failure in a row, and counts; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._text = ""
        self._since = 0.0
        self._counts: Counter[str] = Counter()
        self.batches: Counter[int] = Counter()
        """How many decodings were done with how many pairs together."""
        self._times: deque[float] = deque(maxlen=_TIMED)

    @property
    def trouble(self) -> str:
        """Why there is no answer, and for how long there has been none; empty if all is well."""
        with self._lock:
            if not self._text:
                return ""
            return f"{self._text}; away for {time.monotonic() - self._since:.0f} s, tried again"

    @property
    def well(self) -> bool:
        """Whether the last call was answered."""
        return not self._failures

    def check(self) -> None:
        """EngineAway while a pause lasts."""
        if self._failures and time.monotonic() < self._until:
            raise EngineAway(self._text)

    def failed(self, text: str) -> EngineAway:
        """Note a failure and begin a pause; the error to raise."""
        with self._lock:
            if not self._failures:
                self._since = time.monotonic()
            pause = min(FIRST_PAUSE_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)
            self._failures += 1
            self._until = time.monotonic() + pause
            self._text = text
            self._counts["failures"] += 1
        return EngineAway(text)

    def worked(self, seconds: float) -> None:
        """Note an answer."""
        with self._lock:
            self._failures, self._text = 0, ""
            self._times.append(seconds)
            self._counts["answers"] += 1

    def count(self, what: str, number: int) -> None:
        """Add to a count: bytes sent or received, images sent again."""
        with self._lock:
            self._counts[what] += number

    def batched(self, pairs: int) -> None:
        """Note how many pairs the server decoded together."""
        with self._lock:
            self.batches[pairs] += 1

    def counted(self, what: str) -> int:
        """A count as it stands."""
        with self._lock:
            return self._counts[what]

    def figures(self) -> dict[str, str]:
        """For diagnostics."""
        with self._lock:
            counts, times = dict(self._counts), sorted(self._times)
        calls = max(counts.get("answers", 0), 1)
        shown = {
            "server calls answered / failed": (
                f"{counts.get('answers', 0)} / {counts.get('failures', 0)}"
            ),
            "server kB a call up / down": (
                f"{counts.get('sent', 0) / calls / 1e3:.1f}"
                f" / {counts.get('received', 0) / calls / 1e3:.1f}"
            ),
            "images sent again": str(counts.get("again", 0)),
        }
        if times:
            p95 = times[min(int(0.95 * len(times)), len(times) - 1)]
            middle = times[len(times) // 2]
            shown["server ms p50 / p95"] = f"{middle * 1e3:.1f} / {p95 * 1e3:.1f}"
        return shown
