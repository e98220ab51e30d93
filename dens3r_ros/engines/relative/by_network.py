# SPDX-License-Identifier: Apache-2.0
"""Relative poses by Reloc3r, which needs neither lenses nor images of one shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.grouping import encode_grouped, on_device
from dens3r_ros.engines.precision import choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, normalise
from dens3r_ros.engines.protocol import Features
from dens3r_ros.engines.relative.protocol import RelativePose
from dens3r_ros.engines.torch_engine import TorchConfig, sizing_of
from dens3r_ros.frame import Frame
from dens3r_ros.network.descendants.reloc3r import Reloc3r
from dens3r_ros.network.pairwise.backbone import Tokens


class PosesByReloc3r:
    """See `RelativePoser`."""

    name, needs_lens = "reloc3r", False

    def __init__(self, network: Reloc3r, config: TorchConfig | None = None) -> None:
        self._config = config or TorchConfig()
        self._device = choose_device(self._config.device)
        network.set_backbone_dtype(choose_precision(self._config.precision, self._device))
        self._sizing = sizing_of(network.info, self._config.max_side)
        self._network = network.to(self._device).eval().requires_grad_(False)
        if self._device.type == "cpu":
            use_onednn(network)

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """See `RelativePoser`."""
        exact, sizing = self._config.exact, self._sizing
        return encode_grouped(
            frames, sizing, exact, self._encode, lambda code, _: code, self._device
        )

    def relative(self, a: Features, b: Features) -> RelativePose | None:
        """See `RelativePoser`; an answer whatever the images show."""
        with torch.inference_mode():
            states = self._network.decode(a.data, b.data)
            T = self._network.poses(*states).T_a_b[0].double().cpu().numpy()
        return RelativePose(T, bool(np.linalg.norm(T[:3, 3]) > 0))

    def _encode(self, prepared: Sequence[Prepared]) -> list[Tokens]:
        images = normalise(on_device(prepared, self._device))
        with torch.inference_mode():
            tokens = self._network.encode(images)
        # Own memory for each, so that one that is kept does not keep the whole batch.
        return [Tokens(data.clone(), tokens.grid) for data in tokens.data.split(1)]
