# SPDX-License-Identifier: Apache-2.0
"""What looking at several views together costs: from scratch, and a new frame against kept ones."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from dens3r_ros.engines.loading import load_any_network
from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views_engine import ViewsEngine, ViewsNetwork
from dens3r_ros.frame import Frame

_FIXED = 1024
"""Side of the matrices of the fixed computation."""


@dataclass(frozen=True)
class WindowBenchOptions:
    """Which network, how, and how many views; `size` is (height, width) of the images."""

    model: str
    device: str
    precision: str
    size: tuple[int, int]
    views: int
    rounds: int
    threads: int


def bench_window(options: WindowBenchOptions, tell: Callable[[str], None]) -> dict[str, object]:
    """Median seconds of each stage, and ratios taken within rounds."""
    if options.threads:
        torch.set_num_threads(options.threads)
    network = load_any_network(options.model)
    if not isinstance(network, ViewsNetwork):
        raise ValueError(
            f"{options.model} does not look at windows of views; try dens3r bench pair"
        )
    config = TorchConfig(options.device, options.precision, max(options.size))
    engine = ViewsEngine(network, config, options.model)
    stages = _stages(engine, options)
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    for number in range(options.rounds + 1):
        for name, stage in stages.items():
            took = _timed(stage, engine.device)
            if number:  # the first one warms up
                seconds[name].append(took)
        if number:
            tell(f"round {number} of {options.rounds}")
    height, width = engine.encode([_frame(0, options.size)])[0].placement.size
    return _figures(seconds, options) | {"width": width, "height": height, **_machine(engine)}


def _stages(engine: ViewsEngine, options: WindowBenchOptions) -> dict[str, Callable[[], object]]:
    frames = [_frame(seed, options.size) for seed in range(options.views)]
    kept = [engine.encode([frame])[0] for frame in frames]

    def against_kept() -> object:
        new = engine.encode([frames[0]])[0]
        return engine.decode_window([new, *kept[1:]], Outputs())

    def from_scratch() -> object:
        return engine.decode_window([engine.encode([f])[0] for f in frames], Outputs())

    matrix = torch.rand(_FIXED, _FIXED, device=engine.device)
    return {
        "encode": partial(engine.encode, frames[:1]),
        "decode_pair": partial(_pair, engine, kept),
        "decode_window": partial(engine.decode_window, kept, Outputs()),
        "new_frame": against_kept,
        "from_scratch": from_scratch,
        "fixed": lambda: matrix @ matrix,
    }


def _pair(engine: ViewsEngine, kept: list[Features]) -> object:
    return engine.decode([(kept[0], kept[1])], Outputs())


def _frame(seed: int, size: tuple[int, int]) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(image, seed + 1)


def _timed(stage: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    stage()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _figures(seconds: dict[str, list[float]], options: WindowBenchOptions) -> dict[str, object]:
    ratios = zip(seconds["new_frame"], seconds["from_scratch"], strict=True)
    return {
        "model": options.model,
        "views": options.views,
        **{f"{name}_ms": 1e3 * statistics.median(values) for name, values in seconds.items()},
        "new_frame_ratio": statistics.median(new / whole for new, whole in ratios),
    }


def _machine(engine: ViewsEngine) -> dict[str, object]:
    return {
        "device": engine.info.device,
        "precision": engine.info.precision,
        "threads": torch.get_num_threads(),
    }
