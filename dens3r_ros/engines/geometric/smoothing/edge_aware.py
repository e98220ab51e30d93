# SPDX-License-Identifier: Apache-2.0
"""Smoothing that stops at an image's edges: the recursive domain transform (Gastal 2011)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_REDUCED = 4
_REACH = 20.0
_COLOUR_STEP = 0.9
_PASSES = 2


@dataclass(frozen=True, eq=False)
class EdgeAwareFilter:
    """Averages maps of the image's size over pixels without an edge between, at quarter size.

    `columns` (W-1, H) and `rows` (H-1, W), one pair a pass: how much a pixel takes over from its
    neighbour.
    """

    columns: list[np.ndarray]
    rows: list[np.ndarray]

    @classmethod
    def of(cls, image: np.ndarray) -> EdgeAwareFilter:
        """The filter for an (H, W, 3) uint8 image."""
        guide = cv2.resize(image, reduced_size(image.shape[:2]), interpolation=cv2.INTER_AREA)
        guide = guide.astype(np.float32) / 255
        across, down = (_steps(guide, axis) for axis in (1, 0))
        decays = [_decay(index) for index in range(_PASSES)]
        columns = [np.ascontiguousarray((decay**across).T) for decay in decays]
        return cls(columns, [decay**down for decay in decays])

    def __call__(self, maps: np.ndarray, passes: int = _PASSES) -> np.ndarray:
        """(C, h, w) float32 maps at quarter size, averaged; fewer passes leave streaks."""
        by_column = np.ascontiguousarray(maps.transpose(2, 0, 1), np.float32)
        for columns, rows in zip(self.columns[:passes], self.rows[:passes], strict=True):
            _sweep(by_column, columns)
            by_row = np.ascontiguousarray(by_column.transpose(2, 1, 0))
            _sweep(by_row, rows)
            by_column = np.ascontiguousarray(by_row.transpose(2, 1, 0))
        return by_column.transpose(1, 2, 0)


def reduced_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height), as OpenCV takes it, at which maps of (height, width) are smoothed."""
    return -(-size[1] // _REDUCED), -(-size[0] // _REDUCED)


def _steps(guide: np.ndarray, axis: int) -> np.ndarray:
    return 1 + _REACH / _COLOUR_STEP * np.abs(np.diff(guide, axis=axis)).sum(-1)


def _decay(index: int) -> np.float32:
    reach = _REACH * np.sqrt(3) * 2 ** (_PASSES - index - 1) / np.sqrt(4**_PASSES - 1)
    return np.float32(np.exp(-np.sqrt(2) / reach))


def _sweep(lines: np.ndarray, share: np.ndarray) -> None:
    """Recursive average of (N, C, M) lines there and back, in place.

    Flat lines and a buffer, as this is most of the filter's time.
    """
    flat, share = lines.reshape(len(lines), -1), np.tile(share, lines.shape[1])
    own, taken = 1 - share, np.empty_like(flat[0])
    flat[1:] *= own
    for line, before, part in zip(flat[1:], flat[:-1], share, strict=True):
        line += np.multiply(before, part, out=taken)
    flat[:-1] *= own
    for line, after, part in zip(flat[-2::-1], flat[:0:-1], share[::-1], strict=True):
        line += np.multiply(after, part, out=taken)
