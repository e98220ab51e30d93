# SPDX-License-Identifier: Apache-2.0
"""Runs a network with PyTorch, on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.grouping import encode_grouped, on_device
from dens3r_ros.engines.memory import halving
from dens3r_ros.engines.precision import PRECISIONS, choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, Sizing, checked_side, normalise
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs
from dens3r_ros.engines.wanted import wanted_maps
from dens3r_ros.frame import Frame
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.pairwise.portrait import turn_back
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True)
class TorchConfig:
    """How a network is run.

    device     "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", ...
    precision  of the backbone's linear layers: "auto" (bf16 where the device computes in it),
               "fp32", "bf16" or "fp16"; norms and heads are float32 always
    max_side   long side in pixels; 0 is the one the network was trained at
    exact      preprocess exactly as published, slower, instead of with OpenCV
    compile    let torch.compile fuse the network, on CUDA with graphs; the first call of every
               image and batch size then takes minutes
    """

    device: str = "auto"
    precision: str = "auto"
    max_side: int = 0
    exact: bool = False
    compile: bool = False


@dataclass(frozen=True, eq=False)
class TorchEncoding:
    """A frame's tokens, on the engine's device."""

    tokens: Tokens
    turned: bool
    """Whether the network saw the image turned by 90 degrees."""


class TorchEngine:
    """Encodes each frame once, decodes pairs in batches, computes only the heads asked for.

    The network becomes the engine's own: its layers are changed in place.
    """

    mixed_sizes = True
    """Whether the two images of a pair may differ in size and orientation."""

    def __init__(
        self, network: Network, config: TorchConfig | None = None, model: str = ""
    ) -> None:
        self.config = config or TorchConfig()
        self.device = choose_device(self.config.device)
        self.dtype = choose_precision(self.config.precision, self.device, int8=False)
        self.sizing = sizing_of(network.info, self.config.max_side)
        self.info = replace(
            _engine_info(network, self.sizing, self.device, model),
            precision=next(name for name, kind in PRECISIONS.items() if kind == self.dtype),
        )
        network.set_backbone_dtype(self.dtype)
        if self.dtype != torch.float32:
            _leave_file(network)
        self.network = network.to(self.device).eval().requires_grad_(False)
        if self.device.type == "cpu" and not self.config.compile:
            use_onednn(network)
        self._encoder, self._decoder = self._functions()

    def warm_up(self, size: tuple[int, int] = (480, 640)) -> None:
        """Run once on a blank frame of `size` (height, width), so that no real one waits for it."""
        features = self.encode([Frame(np.zeros((*size, 3), np.uint8), 0)])
        self.decode([(features[0], features[0])], Outputs())

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, those of equal sizes together."""
        return encode_grouped(
            frames,
            self.sizing,
            self.config.exact,
            self._encode,
            lambda tokens, item: TorchEncoding(tokens, item.turned),
            self.device,
        )

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Predict pairs in one batch; only the wanted maps are computed."""
        return decode_halving(partial(self._decode, outputs=outputs), pairs, self.device)

    def _encode(self, prepared: Sequence[Prepared]) -> list[Tokens]:
        pixels = on_device(prepared, self.device)
        height, width = pixels.shape[1:3]
        with torch.inference_mode():
            data = self._encoder(normalise(pixels))
        grid = height // self.sizing.patch, width // self.sizing.patch
        # Own memory for each, so that one that is kept does not keep the whole batch.
        return [Tokens(one.clone(), grid) for one in data.split(1)]

    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        a, b = ([pair[side].data for pair in pairs] for side in (0, 1))
        with torch.inference_mode():
            maps = self._decoder(_data(a), a[0].tokens.grid, _data(b), b[0].tokens.grid, outputs)
        prediction = PairPrediction(**maps)
        return turn_back(prediction, a[0].turned, b[0].turned)

    def _functions(self) -> tuple[Callable[[Tensor], Tensor], Callable[..., dict[str, Tensor]]]:
        """Encoder and decoder with heads, on plain tensors, compiled if so configured."""

        def encoder(images: Tensor) -> Tensor:
            return self.network.encode(images).data

        def decoder(
            a: Tensor, grid_a: tuple[int, int], b: Tensor, grid_b: tuple[int, int], outputs: Outputs
        ) -> dict[str, Tensor]:
            states = self.network.decode(Tokens(a, grid_a), Tokens(b, grid_b))
            return wanted_maps(self.network, states, outputs)

        if not self.config.compile:
            return encoder, decoder
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"
        compiled = torch.compile(decoder, mode=mode, dynamic=False)

        def decoder_with_own_memory(*arguments: Any) -> dict[str, Tensor]:
            # CUDA graphs write every result to the same place.
            return {name: value.clone() for name, value in compiled(*arguments).items()}

        return torch.compile(encoder, mode=mode, dynamic=False), decoder_with_own_memory


def _leave_file(network: Network) -> None:
    """Copy the little that is still mapped from the file, so that the whole file is let go."""
    for parameter in network.parameters():
        if parameter.dtype == torch.float32:
            parameter.data = parameter.data.clone()


def sizing_of(info: NetworkInfo, max_side: int = 0) -> Sizing:
    """The image sizes that a network works best with."""
    width, height = info.training_size
    return Sizing(
        patch=info.patch,
        long_side=checked_side(max_side, info.patch) or max(width, height),
        square=width == height and not info.turn_portraits,
        square_ok=info.turn_portraits,
        turn_portrait=info.turn_portraits,
    )


def decode_halving(
    decode: Callable[[Sequence[tuple[Features, Features]]], PairPrediction],
    pairs: Sequence[tuple[Features, Features]],
    device: torch.device,
) -> PairPrediction:
    """Pairs of one size in one batch; in two where the memory does not hold it."""
    check_equal_sizes(pairs)
    height, width = pairs[0][0].placement.size
    return halving(decode, pairs, joined, f"pairs of {width}x{height}", device)


def check_equal_sizes(pairs: Sequence[tuple[Features, Features]]) -> None:
    """Refuse an empty batch, and one whose maps could not lie in one tensor."""
    if not pairs:
        raise ValueError("there is no pair to decode")
    for side in (0, 1):
        seen = {(pair[side].placement.size, pair[side].data.turned) for pair in pairs}
        if len(seen) > 1:
            sizes = sorted({f"{width}x{height}" for (height, width), _ in seen})
            raise ValueError(
                f"pairs of one batch must have equal sizes and orientation: {', '.join(sizes)}"
            )


def joined(first: PairPrediction, second: PairPrediction) -> PairPrediction:
    """Two batches as one."""
    maps = {field.name: getattr(first, field.name) for field in fields(first)}
    return PairPrediction(
        **{
            name: torch.cat((value, getattr(second, name)))
            for name, value in maps.items()
            if value is not None
        }
    )


def _data(encoded: Sequence[TorchEncoding]) -> Tensor:
    return torch.cat([one.tokens.data for one in encoded])


def _engine_info(network: Network, sizing: Sizing, device: torch.device, model: str) -> EngineInfo:
    info = network.info
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return EngineInfo(
        name="torch",
        model=model or info.family,
        model_hash=fingerprint(network),
        patch=info.patch,
        image_size=sizing.long_side,
        metric=info.metric,
        monocular="points" in info.outputs,
        normals="normals" in info.outputs,
        descriptors="descriptors" in info.outputs,
        device=name,
    )
