# SPDX-License-Identifier: Apache-2.0
"""An oracle whose camera may have its lens covered."""

from __future__ import annotations

from dens3r_ros.evaluation.oracle.oracle import OracleEngine


class CoveredOracle(OracleEngine):
    """Sees nothing where the image is black, as any network would."""

    def decode(self, pairs, outputs):
        prediction = super().decode(pairs, outputs)
        for n, (a, b) in enumerate(pairs):
            if not (a.frame.image.any() and b.frame.image.any()):
                prediction.confidence_a[n] = 1
                prediction.confidence_b[n] = 1
        return prediction
