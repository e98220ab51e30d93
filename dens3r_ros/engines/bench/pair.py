# SPDX-License-Identifier: Apache-2.0
"""The figures of `dens3r bench pair`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dens3r_ros.engines.bench import stages as benchmark
from dens3r_ros.engines.bench.preprocess import changes
from dens3r_ros.engines.bench.stages import Gflop, Rounds, median_ms, median_ratio, p95_ms
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.engines.random_weights import PREFIX, random_network
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.model_store.manifest import resolve_model
from dens3r_ros.network import load_pairwise, save_network

Tell = Callable[[str], None]


@dataclass(frozen=True)
class PairBenchOptions:
    """What is measured, and how often; `size` is (height, width)."""

    model: str = PREFIX + "dust3r-512-dpt"
    device: str = "auto"
    precision: str = "auto"
    size: tuple[int, int] | None = None
    rounds: int = 5
    threads: int = 0
    compile: bool = False
    onnx: Path | None = None
    plain: bool = False


def bench_pair(options: PairBenchOptions, tell: Tell) -> dict[str, Any]:
    """Measure, and return the figures by their names in the JSON file."""
    if options.threads:
        torch.set_num_threads(options.threads)
    with _weights(options.model, tell) as path:
        tell("loading")
        engine, loading = _load_timed(path, options)
        width, height = engine.network.info.training_size
        size = options.size or (height, width)
        stages, product = benchmark.matmul_stages(
            engine.network.description, size, engine.dtype, engine.device
        )
        stages |= benchmark.engine_stages(engine, size)
        seconds = benchmark.measure(stages, options.rounds, _counting(tell, options.rounds))
        loading |= _peak_memory(engine.device)
        if options.plain:
            loading["changes_from_plain"] = _changes_from_plain(engine, path, size)
        extra = _others(options, path, size)
        if extra:
            tell("measuring beside the others")
            extra["beside"] = stages["pair"]
            seconds |= benchmark.measure(extra, options.rounds, _counting(tell, options.rounds))
    gflop = benchmark.count_gflop(engine.network.description, size)
    figures = _figures(engine, options, seconds, gflop, product) | loading
    return figures | _conditions(engine, options, size)


def _others(
    options: PairBenchOptions, path: Path, size: tuple[int, int]
) -> dict[str, Callable[[], object]]:
    """Other ways to compute the same pair."""
    others: dict[str, Callable[[], object]] = {}
    if options.plain:
        others["plain"] = benchmark.plain_pair(load_pairwise(path), size)
    if options.onnx is not None:
        from dens3r_ros.engines.onnx.engine import OnnxEngine
        from dens3r_ros.engines.onnx.sessions import OnnxConfig

        engine = OnnxEngine(options.onnx, OnnxConfig(options.device, threads=options.threads))
        others["onnx"] = benchmark.engine_stages(engine, size)["pair"]
    return others


def _changes_from_plain(engine: TorchEngine, path: Path, size: tuple[int, int]) -> dict[str, float]:
    """What the engine's precision changes, by map."""
    a, b = engine.encode(benchmark.random_frames(2, size))
    found = engine.decode([(a, b)], Outputs())
    plain = benchmark.plain_pair(load_pairwise(path), size)()
    return changes(plain, {name: getattr(found, name).cpu() for name in plain})


def _figures(
    engine: TorchEngine, options: PairBenchOptions, seconds: Rounds, gflop: Gflop, product: float
) -> dict[str, Any]:
    heads = [
        both - decode
        for both, decode in zip(seconds["decode_and_heads"], seconds["decode"], strict=True)
    ]
    stages = {name: seconds[name] for name in ("encode", "decode", "pair", "new_frame")}
    stages |= {"heads": heads, "new_frame_points": seconds["new_frame_points"]}
    stages |= {"tracked_frame": seconds["tracked_frame"]}
    figures: dict[str, Any] = {
        "model": options.model,
        "dtype": str(engine.dtype).removeprefix("torch."),
        "parameters": engine.network.info.parameters,
    }
    for name, spent in stages.items():
        figures |= {f"{name}_ms": median_ms(spent), f"{name}_p95_ms": p95_ms(spent)}
    figures["tracked_frames_per_second"] = 1e3 / figures["tracked_frame_ms"]
    three = [benchmark.KEYFRAMES * spent for spent in seconds["pair"]]
    figures["new_frame_ratio"] = median_ratio(seconds["new_frame"], three)
    figures["new_frame_points_ratio"] = median_ratio(seconds["new_frame_points"], three)
    for name in ("encode", "decode", "heads", "pair"):
        billions = getattr(gflop, name)
        figures[f"{name}_gflop"] = billions
        figures[f"{name}_gflops"] = 1e3 * billions / median_ms(stages[name])
    for kind in ("torch", "best"):
        rate = [product / spent for spent in seconds[f"matmul_{kind}"]]
        figures[f"matmul_{kind}_gflops"] = sorted(rate)[len(rate) // 2]
        share = [gflop.pair / spent for spent in seconds["pair"]]
        name = "matmul_fraction" if kind == "best" else "matmul_fraction_of_torch"
        figures[name] = median_ratio(share, rate)
    for name in ("plain", "onnx"):
        if name in seconds:
            figures[f"{name}_pair_ms"] = median_ms(seconds[name])
            figures[f"pair_to_{name}_ratio"] = median_ratio(seconds["beside"], seconds[name])
    return figures


@contextmanager
def _weights(model: str, tell: Tell) -> Iterator[Path]:
    """The model's file; random weights are written to one, so that loading can be timed."""
    if not model.startswith(PREFIX):
        yield resolve_model(model)
        return
    folder = Path(tempfile.mkdtemp(prefix="dens3r-bench-"))
    try:
        tell("making random weights")
        path = folder / "random.safetensors"
        save_network(random_network(model.removeprefix(PREFIX)), path)
        yield path
    finally:
        shutil.rmtree(folder)


def _load_timed(path: Path, options: PairBenchOptions) -> tuple[TorchEngine, dict[str, Any]]:
    _reset_peak_memory()
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    _forget(files)
    read = _read_seconds(files)
    _forget(files)
    start = time.perf_counter()
    config = TorchConfig(
        options.device,
        options.precision,
        max_side=max(options.size) if options.size else 0,
        compile=options.compile,
    )
    engine = TorchEngine(load_pairwise(path), config, options.model)
    for tensor in engine.network.state_dict().values():
        # Mapped files are read when they are first touched: touch every page.
        tensor.reshape(-1)[::1024].float().sum()
    load = time.perf_counter() - start
    size = sum(file.stat().st_size for file in files)
    return engine, {"load_s": load, "read_s": read, "load_ratio": load / read, "file_bytes": size}


def _forget(files: list[Path]) -> None:
    """Let the system drop the files from its cache, so that they are read from the disk."""
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_seconds(files: list[Path]) -> float:
    buffer = bytearray(16 << 20)
    start = time.perf_counter()
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass
    return time.perf_counter() - start


def _reset_peak_memory() -> None:
    """So that making random weights does not count."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_memory(device: torch.device) -> dict[str, float]:
    """Megabytes of 2^20 bytes, loading and measuring included."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    if match is None:
        raise OSError("the system does not tell the peak memory of this process")
    peaks = {"peak_rss_mb": int(match[1]) / 1024}
    if device.type == "cuda":
        peaks["peak_cuda_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
    return peaks


def _conditions(
    engine: TorchEngine, options: PairBenchOptions, size: tuple[int, int]
) -> dict[str, Any]:
    return {
        "size": f"{size[1]}x{size[0]}",
        "rounds": options.rounds,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "cpu": _cpu_name(),
        "device": engine.info.device,
        "torch": torch.__version__,
        "load_average": os.getloadavg()[0],
    }


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return platform.processor()
    match = re.search(r"model name\s*: (.+)", text)
    return match[1] if match else platform.machine()


def _counting(tell: Tell, rounds: int) -> Callable[[int], None]:
    return lambda number: tell(f"round {number + 1} of {rounds}")
