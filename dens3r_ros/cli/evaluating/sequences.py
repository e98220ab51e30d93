# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate sequences`: the mapper against the truth."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, writable_folder, write_json
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.evaluation.image_sequences.scoring import Measured, SequenceOptions
    from dens3r_ros.mapping.config import MapperConfig
    from dens3r_ros.sources.source import Source


def sequences(
    sequence: Annotated[
        list[str],
        typer.Argument(help="Folders in the TUM RGB-D layout, videos with poses, procedural:..."),
    ],
    engine: Annotated[
        str,
        typer.Option(
            help="oracle, window-oracle, geometric, hybrid, torch, onnx, or module:factory."
        ),
    ] = "oracle",
    model: Annotated[str, typer.Option(help="Model of the torch and onnx engines.")] = "",
    network: Annotated[
        str,
        typer.Option(
            help="Network of the hybrid engine: oracle (each image in a unit of its own),"
            " oracle-metric, or a model by name or path."
        ),
    ] = "oracle",
    calibrated: Annotated[bool, typer.Option(help="Give the mapper the intrinsics.")] = False,
    metric: Annotated[bool, typer.Option(help="The oracle knows metres.")] = False,
    seed: Annotated[int, typer.Option(help="First seed of the oracle's noise.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, each with the next seed.")] = 1,
    max_side: Annotated[
        int, typer.Option(min=0, help="Long side to work at; 0 is the engine's, 512 the oracle's.")
    ] = 0,
    engine_size: Annotated[
        int,
        typer.Option(min=0, help="Long side that a network sees; 0 is --max-side, or its own."),
    ] = 0,
    views: Annotated[
        int,
        typer.Option(
            min=0,
            max=30,
            help="Keyframes that an engine of many views sees beside a frame and its keyframe.",
        ),
    ] = 2,
    every: Annotated[int, typer.Option(min=1, help="Take each N-th frame.")] = 1,
    chained: Annotated[
        bool, typer.Option(help="Also chain the poses of neighbouring pairs, for comparison.")
    ] = False,
    fusion: Annotated[
        bool, typer.Option(help="Fuse predictions; off keeps only the latest one.")
    ] = True,
    loops: Annotated[bool, typer.Option(help="Close loops.")] = True,
    decode_every: Annotated[
        int, typer.Option(min=1, help="Decode one frame in so many at most; track the others.")
    ] = 1,
    decode_lag: Annotated[
        int, typer.Option(min=1, help="Frames until a decoding is taken over.")
    ] = 3,
    camera_height: Annotated[
        float,
        typer.Option(min=0, help="Metres of the camera above the floor, which tell the scale."),
    ] = 0.0,
    grid: Annotated[
        bool, typer.Option(help="Compare the floor plan; of procedural walks in the hall.")
    ] = False,
    json_file: JsonFile = None,
    plots: Annotated[
        Path | None,
        typer.Option(callback=writable_folder, help="Write pictures into this folder."),
    ] = None,
) -> None:
    """Trajectory, depth, normals, surface and cost of the mapper on whole sequences."""
    options = _options(calibrated, every, chained, camera_height, grid)
    config = _config(fusion, loops, decode_every, decode_lag, views)

    def runs() -> Iterator[Measured]:
        for name in sequence:
            for number in range(seed, seed + seeds):
                source = _source(name)
                if grid and getattr(source, "hall", None) is None:
                    stop(
                        f"--grid: what stands in {name} is not known; procedural:walk is in a hall."
                    )
                chosen = (
                    _hybrid(network, source, number, max_side, engine_size)
                    if engine == "hybrid"
                    else _engine(engine, model, source, number, metric, engine_size or max_side)
                )
                yield _measure(source, chosen, config, options)

    rows, whole = _finished(runs(), plots)
    _report(rows, json_file)
    if not whole:
        raise typer.Exit(130)


def _finished(runs: Iterator[Measured], plots: Path | None) -> tuple[list[dict[str, object]], bool]:
    """The figures of all runs; on Ctrl-C those so far, and False."""
    rows: list[dict[str, object]] = []
    try:
        with plain_errors():
            for measured in runs:
                rows.append(measured.figures)
                if plots is not None:
                    _plot(measured, plots)
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {len(rows)} run(s) were finished.", err=True)
        return rows, False
    return rows, True


def _report(rows: list[dict[str, object]], json_file: Path | None) -> None:
    """The table, and the file where one is wanted; with `-` the JSON alone."""
    from rich.console import Console

    from dens3r_ros.evaluation.image_sequences.table import as_json, table

    if rows and json_file != STDOUT:
        Console().print(table(rows))
    write_json(as_json(rows), json_file)


def _options(
    calibrated: bool, every: int, chained: bool, camera_height: float, grid: bool
) -> SequenceOptions:
    try:
        from dens3r_ros.evaluation.image_sequences.scoring import SequenceOptions
    except ImportError as error:
        hint = "pip install 'dens3r_ros[evaluate]' brings evo and matplotlib."
        stop(f"{error}. {hint}")
    return SequenceOptions(
        calibrated=calibrated,
        every=every,
        chained=chained,
        camera_height=camera_height,
        grid=grid,
    )


def _config(fusion: bool, loops: bool, every: int, lag: int, views: int) -> MapperConfig:
    from dens3r_ros.mapping.config import (
        DecodingConfig,
        FusionConfig,
        LoopConfig,
        MapperConfig,
        WindowConfig,
    )

    fused = FusionConfig(mode="weighted" if fusion else "latest")
    decoding = DecodingConfig(every, lag)
    return MapperConfig(
        fusion=fused,
        decoding=decoding,
        window=WindowConfig(views=views),
        loops=LoopConfig(enabled=loops),
    )


def _source(name: str) -> Source:
    from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
    from dens3r_ros.sources.opening import open_source

    return CachedSource(open_source(name))


def _engine(
    name: str, model: str, source: Source, seed: int, metric: bool, max_side: int
) -> Engine:
    if name in ("oracle", "window-oracle"):
        from dens3r_ros.evaluation.oracle.oracle import OracleEngine
        from dens3r_ros.evaluation.oracle.window_oracle import WindowOracle

        kind = OracleEngine if name == "oracle" else WindowOracle
        return kind(source, seed=seed, metric=metric, long_side=max_side or 512)
    from dens3r_ros.engines.loading import load_engine

    return load_engine(name, model, max_side=max_side)


def _hybrid(network: str, source: Source, seed: int, max_side: int, size: int) -> Engine:
    """The hybrid engine with an oracle of single images, or with a real network."""
    if network not in ("oracle", "oracle-metric"):
        from dens3r_ros.engines.loading import load_engine

        return load_engine("hybrid", network, max_side=max_side, size=size)
    from dens3r_ros.engines.hybrid import HybridConfig, HybridEngine
    from dens3r_ros.evaluation.monocular_oracle import MonocularOracle

    seeing = MonocularOracle(source, metric=network == "oracle-metric", seed=seed)
    return HybridEngine(seeing, HybridConfig(max_side))


def _measure(
    source: Source, engine: Engine, config: MapperConfig, options: SequenceOptions
) -> Measured:
    from dens3r_ros.evaluation.image_sequences.scoring import evaluate_sequence

    frames = count(1)
    with following(source.name, len(range(0, len(source), options.every))) as tell:
        return evaluate_sequence(source, engine, config, options, lambda: tell(next(frames)))


def _plot(measured: Measured, folder: Path) -> None:
    from dens3r_ros.evaluation.image_sequences.plots import write_plots

    typer.echo(f"Wrote {write_plots(measured, folder)}", err=True)
