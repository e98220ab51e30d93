# SPDX-License-Identifier: Apache-2.0
"""What looking at several views together costs: from scratch, and a new frame against kept ones."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from dens3r_ros.engines.loading import load_any_network
from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views.engine import ViewsEngine, ViewsNetwork
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
    figures = _figures(seconds, options) | {"width": width, "height": height, **_machine(engine)}
    return figures | {"peak_mib": _peak_mib(engine.device), **_changes(engine, options)}


def _stages(engine: ViewsEngine, options: WindowBenchOptions) -> dict[str, Callable[[], object]]:
    frames = [_frame(seed, options.size) for seed in range(options.views)]
    kept = [engine.encode([frame])[0] for frame in frames]

    def against_kept(told: int = 0) -> object:
        new = engine.encode([frames[0]])[0]
        return engine.decode_window([new, *kept[1:]], Outputs(views=told))

    def from_scratch() -> object:
        return engine.decode_window([engine.encode([f])[0] for f in frames], Outputs())

    matrix = torch.rand(_FIXED, _FIXED, device=engine.device)
    return {
        "encode": partial(engine.encode, frames[:1]),
        "decode_pair": partial(_pair, engine, kept),
        "decode_window": partial(engine.decode_window, kept, Outputs()),
        "new_frame": against_kept,
        "new_frame_own_map": partial(against_kept, 1),
        "from_scratch": from_scratch,
        "fixed": lambda: matrix @ matrix,
    }


def _changes(engine: ViewsEngine, options: WindowBenchOptions) -> dict[str, object]:
    """What the number type changes in a window, beside float32; nothing where it is float32."""
    if engine.info.precision == "fp32":
        return {}
    network = load_any_network(options.model)
    assert isinstance(network, ViewsNetwork)
    plain = ViewsEngine(network, TorchConfig(options.device, "fp32", max(options.size)))
    frames = [_frame(seed, options.size) for seed in range(options.views)]
    found, expected = (
        one.decode_window(one.encode(frames), Outputs()).views for one in (engine, plain)
    )
    depths = [
        (ours.points[..., 2] / theirs.points[..., 2] - 1).abs().flatten()
        for ours, theirs in zip(found, expected, strict=True)
    ]
    change = torch.cat(depths).float().cpu().numpy()
    turned = [
        theirs.T_first_view[:3, :3].T @ ours.T_first_view[:3, :3]
        for ours, theirs in zip(found, expected, strict=True)
    ]
    degrees = np.rad2deg(Rotation.from_matrix(np.stack(turned)).magnitude())
    return {
        "depth_change_percent_p50": 100 * float(np.median(change)),
        "depth_change_percent_p99": 100 * float(np.quantile(change, 0.99)),
        "rotation_change_deg_max": float(degrees.max()),
    }


def _peak_mib(device: torch.device) -> float:
    """The most memory that was in use: of the GPU's, or the whole process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


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

    def ratio(stage: str) -> float:
        ratios = zip(seconds[stage], seconds["from_scratch"], strict=True)
        return statistics.median(new / whole for new, whole in ratios)

    return {
        "model": options.model,
        "views": options.views,
        **{f"{name}_ms": 1e3 * statistics.median(values) for name, values in seconds.items()},
        "new_frame_ratio": ratio("new_frame"),
        "new_frame_own_map_ratio": ratio("new_frame_own_map"),
    }


def _machine(engine: ViewsEngine) -> dict[str, object]:
    return {
        "device": engine.info.device,
        "precision": engine.info.precision,
        "threads": torch.get_num_threads(),
    }
