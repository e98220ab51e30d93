# SPDX-License-Identifier: Apache-2.0
"""Which points of a keyframe were found where they are at several times: only these stand still."""

from __future__ import annotations

import cv2
import numpy as np

_LONG_ENOUGH_S = 0.2
"""Seconds over which predictions must agree before a point is believed."""
_LONGEST_S = 0.14
"""Seconds that one prediction counts at most, however long after the one before it is."""
_STEP = 2
"""Pixels between those that are compared."""
_DEPTH_ERROR, _LEAST_ERROR = 0.07, 0.025
"""Standard deviation of the logarithm of a depth of confidence 2, and of the surest."""
_AGREE, _CONTRADICT = 2.0, 3.0
"""Standard deviations up to which depths are the same, and beyond which they are not."""
_SURE = 0.3
"""Confidence above 1 from which on a prediction has a say."""


class Confirming:
    """Over how long predictions of a keyframe's depths (height, width) at other times than its own
    stamp (ns) agreed with what was known before, the last one that did not being the start."""

    def __init__(self, size: tuple[int, int], stamp: int) -> None:
        self._size, self._told = size, stamp
        self._seconds = np.zeros(tuple(-(-side // _STEP) for side in size), np.float32)

    def tell(
        self,
        known: tuple[np.ndarray, np.ndarray],
        told: tuple[np.ndarray, np.ndarray],
        stamp: int,
    ) -> None:
        """Compare depth and confidence above 1 (h, w) of what is known with those that an image of
        that stamp tells."""
        seconds = min(abs(stamp - self._told) * 1e-9, _LONGEST_S)
        self._told = max(self._told, stamp)
        (depth, weight), (other, confidence) = (
            [one[::_STEP, ::_STEP] for one in pair] for pair in (known, told)
        )
        both = (weight > 0) & (confidence > _SURE) & (other > 1e-6)
        apart = np.abs(np.log(np.where(both, other, 1) / np.where(both, depth, 1)))
        error = np.sqrt(_variance(weight) + _variance(confidence))
        agree = both & (apart < _AGREE * error)
        self._seconds[agree] += np.float32(seconds)
        self._seconds[both & (apart > _CONTRADICT * error)] = 0

    def found_again(self, same: np.ndarray) -> None:
        """Another keyframe sees these points (h, w) bool where they are."""
        self._seconds[same[::_STEP, ::_STEP]] += np.float32(_LONGEST_S / 2)

    def confirmed(self) -> np.ndarray:
        """(h, w) bool: points that are believed."""
        return self._whole(self._seconds >= _LONG_ENOUGH_S)

    def agreed(self) -> np.ndarray:
        """(h, w) bool: points whose depth another prediction has told as well, the last that could
        tell it."""
        return self._whole(self._seconds > 0)

    def _whole(self, thin: np.ndarray) -> np.ndarray:
        long_enough = thin.view(np.uint8)
        size = tuple(side * _STEP for side in long_enough.shape[::-1])
        whole = cv2.resize(long_enough, size, interpolation=cv2.INTER_NEAREST)
        return whole[: self._size[0], : self._size[1]] > 0


def _variance(weight: np.ndarray) -> np.ndarray:
    """Of the logarithm of depths of these confidences above 1."""
    return np.maximum(_DEPTH_ERROR**2 / np.maximum(weight, 1e-3), _LEAST_ERROR**2)
