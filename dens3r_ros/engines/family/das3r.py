# SPDX-License-Identifier: Apache-2.0
"""DAS3R: a network of pairs that tells which pixels of both images move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.protocol import Features
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.network.descendants.das3r import Das3r


class Das3rEngine(TorchEngine):
    """Its pairs are those of the MonST3R inside; see `MotionTellingEngine`."""

    mixed_sizes = False

    def __init__(self, network: Das3r, config: TorchConfig | None = None, model: str = "") -> None:
        digest = fingerprint(network)
        super().__init__(network.network, config, model or network.FAMILY)
        self.whole = network.to(self.device).eval().requires_grad_(False)
        self.info = replace(self.info, model_hash=digest)

    def moving(self, a: Features, b: Features) -> np.ndarray:
        """(H, W) float32 of a, from 0 (still) to 1 (moves), seen beside b."""
        with torch.inference_mode():
            states, _ = self.network.decode(a.data.tokens, b.data.tokens)
            found = self.whole.moving(states, "a")[0]
        return (found.rot90(-1) if a.data.turned else found).float().cpu().numpy()
