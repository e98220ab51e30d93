# SPDX-License-Identifier: Apache-2.0
"""What a pair costs, stage by stage, next to what this machine can do at that moment.

Every round measures all stages and a matrix product one after the other, and ratios are taken
within a round: so they hold on a machine whose speed changes from one minute to the next.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dens3r_ros.engines.cpu.kernels import fastest_linear
from dens3r_ros.engines.preprocess import normalise
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.wanted import NOTHING, wanted_maps
from dens3r_ros.frame import Frame
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.pairwise.network import Network

KEYFRAMES = 3
Stages = dict[str, Callable[[], object]]
Rounds = dict[str, list[float]]


@dataclass(frozen=True)
class Gflop:
    """Billions of operations (2 per multiplication and addition) of the stages of one pair."""

    encode: float
    decode: float
    heads: float

    @property
    def pair(self) -> float:
        """Both images encoded, decoded, all heads."""
        return 2 * self.encode + self.decode + self.heads


def count_gflop(description: NetworkDescription, size: tuple[int, int]) -> Gflop:
    """Of the linear layers, convolutions and attention at (height, width), without running them."""
    with torch.device("meta"):
        network = Network(description)
        images = torch.empty(1, 3, *size)
    grid = size[0] // description.patch, size[1] // description.patch
    tokens = Tokens(
        torch.empty(1, grid[0] * grid[1], description.encoder.width, device="meta"), grid
    )
    with torch.inference_mode():
        states = network.decode(tokens, tokens)
        return Gflop(
            encode=_gflop(lambda: network.encode(images)),
            decode=_gflop(lambda: network.decode(tokens, tokens)),
            heads=_gflop(lambda: wanted_maps(network, states, Outputs())),
        )


def _gflop(stage: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        stage()
    return float(counter.get_total_flops() / 1e9)


def measure(stages: Stages, rounds: int, tell: Callable[[int], None]) -> Rounds:
    """Seconds of every stage in every round, after one round that is not counted."""
    for stage in stages.values():
        stage()
    seconds: Rounds = {name: [] for name in stages}
    for number in range(rounds):
        tell(number)
        for name, stage in stages.items():
            start = time.perf_counter()
            stage()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def random_frames(count: int, size: tuple[int, int]) -> list[Frame]:
    """The same frames, (height, width), at every call."""
    random = np.random.default_rng(0)
    return [Frame(random.integers(0, 256, (*size, 3), np.uint8), n) for n in range(count)]


def engine_stages(engine: Engine, size: tuple[int, int], prefix: str = "") -> Stages:
    """The work of one pair, whole and in parts, and of a new frame against kept keyframes.

    "tracked_frame" is what mapping asks for of most frames: encode it, decode it against one
    keyframe, points of both and normals of the frame.
    """
    frames = random_frames(KEYFRAMES + 1, size)
    a, b, *more = engine.encode(frames)
    keyframes = [b, *more]

    def new_frame(outputs: Outputs, count: int = KEYFRAMES) -> object:
        (new,) = engine.encode(frames[:1])
        pairs = [(new, keyframe) for keyframe in keyframes[:count]]
        return _synchronised(engine.decode(pairs, outputs))

    def pair() -> object:
        one, other = engine.encode(frames[:2])
        return _synchronised(engine.decode([(one, other)], Outputs()))

    stages: Stages = {
        "encode": lambda: _synchronised(engine.encode(frames[:1])),
        "decode": lambda: _synchronised(engine.decode([(a, b)], NOTHING)),
        "decode_and_heads": lambda: _synchronised(engine.decode([(a, b)], Outputs())),
        "pair": pair,
        "new_frame": lambda: new_frame(Outputs()),
        "new_frame_points": lambda: new_frame(Outputs("ab", "", "")),
        "tracked_frame": lambda: new_frame(Outputs("ab", "a", ""), count=1),
    }
    return {prefix + name: stage for name, stage in stages.items()}


def plain_pair(network: Network, size: tuple[int, int]) -> Callable[[], dict[str, Tensor]]:
    """A pair as the published code runs it: float32, PyTorch's own linear layers, attention by an
    explicit softmax, each image encoded by itself."""
    pixels = np.stack([frame.image for frame in random_frames(2, size)])
    images = normalise(torch.from_numpy(pixels))

    def run() -> dict[str, Tensor]:
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
            a, b = (network.encode(image) for image in images.split(1))
            return wanted_maps(network, network.decode(a, b), Outputs())

    return run


def matmul_stages(
    description: NetworkDescription, size: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Stages, float]:
    """Matrix products of the encoder's largest layer by the kernels at hand, and their GFLOP."""
    rows = size[0] * size[1] // description.patch**2
    width, hidden = description.encoder.width, description.encoder.mlp_width
    x = torch.randn(rows, width, device=device).to(dtype)
    weight, bias = torch.randn(hidden, width).to(x), torch.zeros(hidden).to(x)
    repeat = 8

    def run(linear: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        with torch.inference_mode():
            for _ in range(repeat):
                linear(x, weight, bias)
        _synchronised(x)

    stages: Stages = {
        "matmul_torch": lambda: run(torch.nn.functional.linear),
        "matmul_best": lambda: run(fastest_linear(device)),
    }
    return stages, repeat * 2 * rows * width * hidden / 1e9


def median_ms(seconds: Sequence[float]) -> float:
    """Half of the rounds took less."""
    return 1e3 * statistics.median(seconds)


def p95_ms(seconds: Sequence[float]) -> float:
    """95 of 100 rounds took less."""
    return 1e3 * float(np.percentile(seconds, 95))


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios within rounds."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def _synchronised(result: object) -> object:
    """Wait for a GPU's work, which otherwise goes on after the call returns."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result
