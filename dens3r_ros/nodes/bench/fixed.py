# SPDX-License-Identifier: Apache-2.0
"""A fixed computation, timed while something else is measured: figures of one host at two hours, or
of two hosts, compare by it."""

from __future__ import annotations

import time

import cv2
import numpy as np


class Fixed:
    """Blurs one image ten times on one core, whenever it is told to."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._image = random.integers(0, 256, (480, 640), dtype=np.uint8).astype(np.float32)
        self._spent: list[tuple[float, float]] = []

    def measure(self) -> None:
        """Once."""
        began, busy = time.perf_counter(), time.thread_time()
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        for _ in range(10):
            cv2.GaussianBlur(self._image, (0, 0), 4.0)
        cv2.setNumThreads(threads)
        spent = time.perf_counter() - began, time.thread_time() - busy
        self._spent.append((1e3 * spent[0], 1e3 * spent[1]))

    def figures(self) -> dict[str, float]:
        """Median milliseconds of the wall's clock and of the core's."""
        if not self._spent:
            return {"fixed_ms_p50": float("nan"), "fixed_cpu_ms_p50": float("nan")}
        wall, cpu = np.median(self._spent, axis=0)
        return {"fixed_ms_p50": float(wall), "fixed_cpu_ms_p50": float(cpu)}
