# SPDX-License-Identifier: Apache-2.0
"""Spann3R: sequences, what its memory reads and keeps, and the memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import (
    Comparison,
    not_compared,
    of_scale,
    share_differing,
)
from dens3r_ros.evaluation.parity.fixture import Fixture, images, subsampled
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights, loaded
from dens3r_ros.network.descendants.spann3r import Spann3R, Spann3RStream
from dens3r_ros.network.descendants.spatial_memory import (
    MemoryConfig,
    MemoryNorms,
    SpatialMemory,
)

NAME = "Spann3R"
_SETTINGS = {
    "long_mem_size": "long_tokens",
    "work_mem_size": "work_frames",
    "attn_thresh": "least_attention",
    "sim_thresh": "most_similar",
}


def recognises(fixture: Fixture) -> bool:
    """Whether the file's weights are a Spann3R's."""
    return kind_of_weights(fixture) == "spann3r"


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every run, with its reads and its memory; the memory alone on stored keys and values."""
    heads = fixture.config.get("memory", {}).get("heads")
    network = loaded(fixture, Spann3R, memory_num_heads=heads)
    with torch.inference_mode():
        for run in fixture.folders("run/"):
            yield from _compare_run(fixture, network, run)
        if fixture.under("out/"):
            yield from _compare_fullsize(fixture, network)
        for case in fixture.folders("mem/"):
            yield from _compare_memory(fixture, case)


class _Recorder(Spann3RStream):
    """A stream that notes what was asked of its memory, and what it answered."""

    def __init__(self, network: Spann3R, config: MemoryConfig) -> None:
        super().__init__(network, config)
        self.found: dict[str, Tensor] = {}
        self.tokens: list[int] = []
        answer = self.memory.read

        def read(query: Tensor) -> Tensor:
            self.tokens.append(len(self.memory))
            number = len(self.tokens)
            self.found[f"read_query_{number}"] = query
            self.found[f"read_out_{number}"] = read_out = answer(query)
            return read_out

        self.memory.read = read  # type: ignore[method-assign]

    def run(self, frames: np.ndarray) -> None:
        """All frames; the prediction of each that the published code calls final."""
        for number, image in enumerate(images(frames)):
            pair = self.step(image[None])
            if pair is None:
                continue
            for index, points in zip((number - 1, number), pair, strict=True):
                self.found[f"pts3d_{index}"] = points.points[0]
                self.found[f"conf_{index}"] = points.confidence[0]


def _compare_run(fixture: Fixture, network: Spann3R, run: str) -> Iterator[Comparison]:
    start = f"run/{run}/"
    told: dict[str, Any] = fixture.config.get("info", {}).get(run, {}).get("params", {})
    unknown = [name for name in told if name not in _SETTINGS]
    if unknown:
        yield not_compared(run, "run", f"settings not known here: {', '.join(unknown)}")
        return
    config = MemoryConfig(**{_SETTINGS[name]: value for name, value in told.items()})
    stream = _Recorder(network, config)
    count = len([name for name in fixture.under(start) if name.startswith("pts3d_")])
    stream.run(fixture.array("frames_u8")[:count])
    for name in fixture.under(start):
        if name in stream.found:
            output = f"run/{name.rstrip('0123456789').rstrip('_')}"
            yield of_scale(run, output, stream.found[name], fixture.array(start + name))
    told_tokens = fixture.array(f"{start}tokens_at_read")
    yield share_differing(run, "run/tokens_at_read", stream.tokens, told_tokens)
    final = {name: fixture.tensor(f"{start}mem_{name}") for name in ("k", "v", "attn", "count")}
    yield from _same_tokens(run, "run/memory", stream.memory, final)


def _compare_fullsize(fixture: Fixture, network: Spann3R) -> Iterator[Comparison]:
    stream = _Recorder(network, MemoryConfig())
    stream.run(fixture.array("frames_u8"))
    memory = stream.memory
    assert memory.keys is not None
    inner = {"mem_k": memory.keys, "mem_v": memory.values, "mem_attn": memory.attention}
    for part, found in (("out", stream.found), ("inter", inner)):
        for name in fixture.under(f"{part}/"):
            output, _, how = name.partition("@")
            value, published = found[output], fixture.array(f"{part}/{name}")
            if part == "inter" and how:
                value = value[:: int(how.removeprefix("::"))]
            elif part == "out":
                value = subsampled(value, how, batched=False)
            yield of_scale("", f"{part}/{output}", value, published)


def _compare_memory(fixture: Fixture, case: str) -> Iterator[Comparison]:
    start = f"mem/{case}/"
    long_tokens, work_frames, least, similar = fixture.array(f"{start}params").tolist()
    config = MemoryConfig(int(long_tokens), int(work_frames), least, similar)
    keys, values = fixture.tensor(f"{start}keys"), fixture.tensor(f"{start}values")
    queries, reads = fixture.tensor(f"{start}queries"), fixture.tensor(f"{start}reads")
    memory = SpatialMemory(_norms(fixture, start), config)
    counts: dict[str, list[int]] = {"n_tokens": [], "wm": [], "lm": []}
    for step in range(len(keys)):
        if step:
            found = memory.read(queries[step])
            yield of_scale(case, "mem/reads", found, reads[step - 1].numpy())
        memory.insert(keys[step], values[step])
        for name, count in zip(
            counts, (len(memory), memory.work_frames, memory.long_tokens), strict=True
        ):
            counts[name].append(count)
    for name, found_counts in counts.items():
        yield share_differing(case, f"mem/{name}", found_counts, fixture.array(start + name))
    final = {name: fixture.tensor(f"{start}final_{name}") for name in ("k", "v", "attn", "count")}
    yield from _same_tokens(case, "mem/final", memory, final)


def _norms(fixture: Fixture, start: str) -> MemoryNorms:
    width = len(fixture.array(f"{start}norm_q_weight"))
    norms = MemoryNorms(width).requires_grad_(False)
    for name in ("norm_q", "norm_k", "norm_v"):
        norm = norms.get_submodule(name)
        norm.load_state_dict(
            {part: fixture.tensor(f"{start}{name}_{part}") for part in ("weight", "bias")}
        )
    return norms


def _same_tokens(
    case: str, output: str, memory: SpatialMemory, published: dict[str, Tensor]
) -> Iterator[Comparison]:
    """As a set: after pruning, the order among equals is that of a sorting routine."""
    assert memory.keys is not None
    ours = {"k": memory.keys, "v": memory.values, "attn": memory.attention, "count": memory.age}
    if len(memory) != len(published["k"]):
        yield share_differing(case, f"{output} size", [len(memory)], [len(published["k"])])
        return
    nearest = torch.cdist(published["k"].double(), memory.keys.double()).argmin(dim=1)
    yield share_differing(case, f"{output} set", nearest.sort().values, np.arange(len(memory)))
    for name, value in ours.items():
        yield of_scale(case, f"{output}_{name}", value[nearest], published[name].numpy())
