# SPDX-License-Identifier: Apache-2.0
"""`dens3r demo`: a recorded walk, or your own images, through camera, node and DDS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.files import writable_folder
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.nodes.demo.run import DemoOptions

DEFAULT_OUTPUT = Path("demo_output")


def demo(
    source: Annotated[
        Path | None,
        typer.Option(
            help="Video, folder of images or TUM sequence; the shipped walk if not given."
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="auto, torch, onnx, geometric, hybrid, or module:factory. auto is the model "
            "named, else what `dens3r models list` ends with, as for the node."
        ),
    ] = "auto",
    model: Annotated[str, typer.Option(help="Name or path of a model, for torch and onnx.")] = "",
    engine_size: Annotated[
        int, typer.Option(min=0, max=2048, help="Long side that a network sees; 0 as in --config.")
    ] = 0,
    config: Annotated[
        Path | None,
        typer.Option(help="Parameters of the node; config/cpu.yaml if not given."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = DEFAULT_OUTPUT,
    rate: Annotated[float, typer.Option(help="Images a second.", min=0.1, max=240)] = 30.0,
    seconds: Annotated[float, typer.Option(help="Stop after this long.", min=1)] = 90.0,
) -> None:
    """Play images through the real node over DDS, and show what it makes of them."""
    from rich.console import Console

    console = Console()
    try:
        from dens3r_ros.nodes.demo.run import DemoError, DemoOptions, run_demo
        from dens3r_ros.nodes.demo.viewer import open_viewer
    except ModuleNotFoundError as error:
        stop(f"the demo needs ROS 2, and {error.name} is missing: run make setup")
    options = DemoOptions(
        source=source or _shipped("demo/walk.mp4"),
        output=out,
        config=config or _shipped("cpu.yaml"),
        engine=engine,
        model=model,
        engine_size=engine_size,
        rate=rate,
        seconds=seconds,
    )
    with plain_errors():
        console.print(_checked(options))
    writable_folder(out)
    console.print(f"Playing {options.source} at {rate:g} Hz; results go to {out}/")
    viewer = open_viewer(os.environ, out / "viewer.log")
    if viewer.name:
        console.print(f"{viewer.name} shows it")
    try:
        with following("demo", seconds) as tell:
            values = run_demo(options, lambda s, t: tell(t, None, _line(s)), viewer)
    except DemoError as error:
        console.print(f"The demo failed: {error}", style="red")
        raise typer.Exit(FAILED) from error
    _print_summary(console, values, out)


def _checked(options: DemoOptions) -> str:
    """Which engine will run; ValueError or OSError for what the node or the camera would refuse."""
    from dens3r_ros.engines.loading import choose_engine
    from dens3r_ros.engines.precision import choose_device
    from dens3r_ros.engines.random_weights import PREFIX
    from dens3r_ros.model_store.manifest import resolve_model
    from dens3r_ros.nodes.settings.parameter_file import read_parameters
    from dens3r_ros.sources import open_source

    choose_device(read_parameters(options.config).engine.device)
    open_source(options.source)
    chosen = choose_engine(options.engine, options.model)
    if chosen.model and not chosen.model.startswith(PREFIX):
        resolve_model(chosen.model)
    return f"Engine: {chosen.engine} {chosen.model}".rstrip() + f" ({chosen.why})."


def _shipped(name: str) -> Path:
    from dens3r_ros.resources import resource_dir

    return resource_dir("config") / name


def _line(status: Any) -> str:
    states = ("inactive", "initialising", "tracking", "lost", "relocalising", "paused", "failed")
    latency = dict(zip(status.stages, status.latency_p50_ms, strict=True)).get("total", 0.0)
    keyframes = status.keyframes_in_window + status.keyframes_in_archive
    return (
        f"{states[status.tracking]:<12}  {status.frames_per_second:4.1f} fps  "
        f"{latency:4.0f} ms  {keyframes} keyframes  {status.loops} loops  "
        f"{status.images_processed} frames, {status.images_dropped} dropped"
    )


def _print_summary(console: Any, values: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    table = Table(title="Summary", show_header=False)
    for name, value in values.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(name, "unknown" if value is None else shown)
    console.print(table)
    console.print(f"Wrote map.ply, trajectory.tum, summary.json and overview.png to {out}/")
