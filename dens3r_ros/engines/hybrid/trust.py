# SPDX-License-Identifier: Apache-2.0
"""How far a network errs by more than it says, as parallax tells."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.engines.hybrid.fitting import Fit

_MEMORY = 31
_LEAST = 9
_TOLERATED = 2.0
"""Times its promised error up to which the motion of a pair, and not the network, is doubted."""


class MeasuredError:
    """The middle of what pairs with parallax say of the network. The motion of some of them errs,
    but not of most; a network that is always contradicted is not what it promises."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_MEMORY)

    def measured(self, fitted: Fit | None) -> None:
        """By one more pair, if it has parallax."""
        if fitted is not None:
            self._ratios.append(fitted.ratio)

    @property
    def factor(self) -> float:
        """Times what the network says of its error, 1 or more."""
        if len(self._ratios) < _LEAST:
            return 1.0
        middle = float(np.median(self._ratios))
        return middle if middle > _TOLERATED else 1.0

    @property
    def broken(self) -> bool:
        """Whether the network errs by far more than it says, so that nothing is judged by it."""
        return self.factor > 1.0

    def judged(self, alone: Alone) -> Alone:
        """What the network sees, as sure as it is known to be."""
        factor = self.factor
        return alone if factor == 1.0 else replace(alone, error=alone.error * np.float32(factor))
