# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate sequences`: the mapper against the truth."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import EveryNth, MaxSide
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.evaluating import sequence_options as given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.evaluation.image_sequences.scoring import Measured, SequenceOptions
    from dens3r_ros.mapping.config import MapperConfig
    from dens3r_ros.sources.source import Source


def sequences(
    sequence: given.Sequence,
    engine: given.Engine = "oracle",
    model: given.Model = "",
    network: given.Network = "oracle",
    calibrated: given.Calibrated = False,
    metric: given.Metric = False,
    seed: given.Seed = 0,
    seeds: given.Seeds = 1,
    max_side: MaxSide = 0,
    engine_size: given.EngineSize = 0,
    views: given.Views = 2,
    every: EveryNth = 1,
    chained: given.Chained = False,
    fusion: given.Fusion = True,
    loops: given.Loops = True,
    decode_every: given.DecodeEvery = 1,
    decode_lag: given.DecodeLag = 3,
    camera_height: given.CameraHeight = 0.0,
    grid: given.Grid = False,
    json_file: JsonFile = None,
    plots: given.Plots = None,
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
