# SPDX-License-Identifier: Apache-2.0
"""`dens3r bench fleet`: many robots and one server."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors
from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import ImageSize, Size

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.frame import Frame

USUAL = Size(320, 240)
FRAMES = 20
"""Of each robot's walk, which it repeats."""


def fleet(
    robots: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 8,
    rate: Annotated[
        float, typer.Option(min=0, max=100, help="Frames a second of each; 0 as answers come.")
    ] = 5.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long, each round.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often; medians are told.")] = 1,
    address: Annotated[
        str, typer.Option(help="grpc://host:port of a server; starts one here unless given.")
    ] = "",
    model: Annotated[str, typer.Option(help="Of the server that is started.")] = "dens3r-tiny",
    batch: Annotated[int, typer.Option(min=1, max=256, help="Calls it answers at once.")] = 32,
    compare: Annotated[
        bool, typer.Option("--compare", help="In turn with a server that answers one at a time.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="In turn with the model in this process, one robot's.")
    ] = False,
    size: ImageSize = USUAL,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds a call may take.")] = 30.0,
    json: JsonFile = None,
) -> None:
    """Let robots with walks of their own share a server, and measure what each waits for.

    \b
    frames_per_second         that were answered, of all robots
    latency_ms_p50, ...       a frame's encode and decode, as a robot waits for it
    slowest_over_fastest      of the robots' median latencies
    pairs_a_batch             that the server decoded together
    kb_a_frame_up, _down      of the network, a frame
    failures, late            frames without an answer; frames due before the last was answered
    latency_over_local        median latency to that in this process, round by round (--local)
    """
    from dens3r_ros.engines.remote.config import RemoteConfig
    from dens3r_ros.engines.serving.own_server import OwnServer, ServerFailed

    with (
        ExitStack() as stack,
        following("bench fleet"),
        plain_errors(),
        plain_errors(ServerFailed, code=FAILED),
    ):
        if address:
            RemoteConfig(address)  # a mistyped one is told before images are drawn
        ways = [_walk(seed, size) for seed in range(robots)]
        addresses = {"": address}
        if not address:
            arguments = ["--model", model, "--batch"]
            sizes = {"": batch, "unbatched_": 1} if compare else {"": batch}
            servers = {k: OwnServer([*arguments, str(n)]) for k, n in sizes.items()}
            addresses = {k: stack.enter_context(one).address for k, one in servers.items()}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in addresses}
        here = _here(model) if local else None
        alone: list[float] = []
        for _ in range(rounds):
            for name, one in addresses.items():
                found[name].append(_round(one, ways, rate, seconds, timeout))
            if here is not None:
                alone.append(_alone(here, ways[0], seconds))
    write_figures({**_medians(found), **_against(found[""], alone)}, json)


def _round(
    address: str, ways: list[list[Frame]], rate: float, seconds: float, timeout: float
) -> dict[str, Any]:
    from dens3r_ros.engines.bench.fleet import FleetOptions, bench_fleet
    from dens3r_ros.engines.remote.config import RemoteConfig

    config = RemoteConfig(address, timeout=timeout)
    options = FleetOptions(rate, seconds)
    return bench_fleet(config, ways, options, lambda line: typer.echo(line, err=True))


def _here(model: str) -> Engine:
    from dens3r_ros.engines.loading import load_engine

    return load_engine("auto", model)


def _alone(engine: Engine, way: list[Frame], seconds: float) -> float:
    import numpy as np

    from dens3r_ros.engines.bench.fleet import bench_alone

    return 1e3 * float(np.median(bench_alone(engine, way, seconds)))


def _against(rounds: list[dict[str, Any]], alone: list[float]) -> dict[str, float]:
    import numpy as np

    if not alone:
        return {}
    ratios = [one["latency_ms_p50"] / local for one, local in zip(rounds, alone, strict=True)]
    return {
        "local_latency_ms_p50": float(np.median(alone)),
        "latency_over_local": float(np.median(ratios)),
    }


def _medians(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    import numpy as np

    figures: dict[str, Any] = {}
    for name, rounds in found.items():
        for key in rounds[0]:
            figures[name + key] = float(np.median([one[key] for one in rounds]))
    if len(found) > 1:
        pairs = zip(found[""], found["unbatched_"], strict=True)
        gains = [a["frames_per_second"] / b["frames_per_second"] for a, b in pairs]
        figures["throughput_over_unbatched"] = float(np.median(gains))
    return figures


def _walk(seed: int, size: Size) -> list[Frame]:
    from dens3r_ros.sources import open_source

    source = open_source(
        f"procedural:walk?seed={seed + 1}&frames={10 * FRAMES}&size={size.width}x{size.height}"
    )
    return [source[n] for n in range(FRAMES)]
