# SPDX-License-Identifier: Apache-2.0
"""`dens3r reconstruct`: videos, folders, bags and cameras to models that other programs open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.options import GEOMETRIC_SIDE, WorkSize
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.offline import reconstruct_options as given
from dens3r_ros.cli.offline.moving import Moving, with_moving

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.nodes.settings.config import NodeConfig
    from dens3r_ros.reconstruction.pipeline.options import Options
    from dens3r_ros.reconstruction.pipeline.run import FinishedRun
    from dens3r_ros.sources.inputs import Input


def reconstruct(
    inputs: given.Inputs,
    out: given.Out,
    engine: given.Engine = "auto",
    model: given.Model = "",
    size: WorkSize = 0,
    every: given.Every = 1,
    fps: given.Fps = 0.0,
    start: given.Start = 0.0,
    end: given.End = None,
    intrinsics: given.Intrinsics = "",
    topic: given.Topic = "",
    config: given.Config = None,
    mode: given.Mode = "auto",
    live: given.Live = False,
    save_depth: given.SaveDepth = False,
    save_normals: given.SaveNormals = False,
    mesh: given.Mesh = False,
    mesh_faces: given.MeshFaces = 0,
    mcap: given.Mcap = False,
    splats: given.Splats = False,
    optimize: given.Optimize = 0,
    voxel: given.Voxel = 0.0,
    moving: Moving = "off",
    viewer: given.Viewer = "",
    resume: given.Resume = False,
) -> None:
    """Make a model of a video, of images or of a bag.

    Into the folder go poses, the lens, a coloured cloud, keyframes for COLMAP and nerfstudio, a map
    that the node loads, and report.html, which shows and tells the rest. Ctrl-C finishes with the
    images so far.
    """
    from dens3r_ros.reconstruction.pipeline.collection.photos import check_photos
    from dens3r_ros.reconstruction.pipeline.options import MODES, Picks, ReconstructOptions

    if mode not in MODES:
        stop(f"mode {mode!r} is none of {', '.join(MODES)}")
    if optimize and not splats:
        stop("--optimize works on splats: ask for them too (--splats)")
    with plain_errors():
        if mode == "auto":
            mode = _mode(inputs, ordered=bool(fps or save_depth or save_normals or live or viewer))
        parameters = _parameters(config, engine, model)
        opened = _opened(inputs, fps, topic, intrinsics, mode)
        wanted = (save_depth, save_normals, mesh, splats, mcap, mesh_faces, voxel, optimize)
        asked = ReconstructOptions(*wanted)
        folder_rate = fps and all(Path(one).is_dir() for one in inputs)
        picks = Picks(every, 0.0 if folder_rate else fps, start, end)
        options = _options(out, parameters, picks, asked, mode, live, resume)
        _check(options)
        if mode == "photos":
            check_photos(options)
        chosen = _engine(parameters, size, configured=config is not None)
        options = with_moving(options, moving, chosen, opened)
    finished, whole = _run(opened, chosen, options, viewer, _settings(opened, chosen))
    _report(finished, out)
    if not whole:
        raise typer.Exit(130)


def _settings(opened: list[Input], engine: Engine) -> dict[str, Any]:
    """What the report tells of how the run was asked for."""
    return {
        "input": ", ".join(one.name for one in opened),
        "command": _command(),
        "engine": engine.info.name,
        "model": engine.info.model,
        "image size": engine.info.image_size,
    }


def _mode(names: list[str], ordered: bool) -> str:
    """What `auto` means for the inputs, which is said; `ordered` where what else was asked for is
    of images in their order."""
    from dens3r_ros.sources.inputs.order import are_photos
    from dens3r_ros.sources.inputs.photo_set import plain_images

    images = None if ordered else plain_images(names)
    if images is None:
        return "video"
    photos, why = are_photos(images)
    taken, other = ("photos", "video") if photos else ("video", "photos")
    typer.echo(f"mode: {taken}, since {why} (--mode {other} for the other)", err=True)
    return taken


def _parameters(config: Path | None, engine: str, model: str) -> NodeConfig:
    from dataclasses import replace

    from dens3r_ros.nodes.settings.config import NodeConfig
    from dens3r_ros.nodes.settings.parameter_file import read_parameters

    found = NodeConfig() if config is None else read_parameters(config)
    named: dict[str, Any] = {}
    if engine != "auto":
        named["name"] = engine
    if model:
        named["model"] = model
    every = replace(found.input, policy="every")
    return replace(found, engine=replace(found.engine, **named), input=every)


def _opened(names: list[str], fps: float, topic: str, intrinsics: str, mode: str) -> list[Input]:
    from dens3r_ros.sources.inputs.lens import with_lens
    from dens3r_ros.sources.inputs.opening import InputOptions, open_inputs
    from dens3r_ros.sources.inputs.photo_set import open_photos

    found: list[Input]
    if mode == "photos":
        found = [open_photos(names)]
    else:
        found = open_inputs(names, InputOptions(fps or 30.0, topic))
    return [with_lens(one, intrinsics) for one in found] if intrinsics else found


def _options(
    out: Path, parameters: NodeConfig, picks: Any, asked: Any, mode: Any, live: bool, resume: bool
) -> Options:
    from dens3r_ros.nodes.settings.mapper_config import mapper_config
    from dens3r_ros.reconstruction.pipeline.options import Options

    return Options(
        out,
        mapper_config(parameters, {}),
        picks,
        asked,
        mode,
        parameters.output.min_confidence,
        live,
        resume,
    )


def _check(options: Options) -> None:
    """What is missing for outputs is told before hours of work."""
    from dens3r_ros.reconstruction.pipeline.needs import missing

    for what in missing(options):
        stop(what)


def _engine(parameters: NodeConfig, size: int, configured: bool) -> Engine:
    from dens3r_ros.engines.loading import choose_engine, load_engine

    wanted = parameters.engine
    chosen = choose_engine(wanted.name, wanted.model)
    typer.echo(f"engine: {chosen.engine} {chosen.model}".rstrip() + f" ({chosen.why})", err=True)
    side = size
    if not size and chosen.engine in ("geometric", "hybrid"):
        side = wanted.max_side if configured else GEOMETRIC_SIDE
    return load_engine(wanted.name, wanted.model, wanted.device, wanted.precision, side)


def _run(
    inputs: list[Input],
    engine: Engine,
    options: Options,
    viewer: str,
    settings: dict[str, Any],
) -> tuple[FinishedRun, bool]:
    """What was made, and whether of all images."""
    from dens3r_ros.reconstruction.pipeline.checkpoint import CannotResume
    from dens3r_ros.reconstruction.pipeline.reading import described
    from dens3r_ros.reconstruction.pipeline.run import NothingMapped, Reconstruction
    from dens3r_ros.reconstruction.pipeline.stopping import StopRequest, on_interrupt

    def say(text: str) -> None:
        typer.echo(text, err=True)

    for line in described(inputs):
        say(line)
    asked_to_stop, watchers = StopRequest(), _watchers(viewer)
    try:
        with on_interrupt(asked_to_stop, say), plain_errors(CannotResume):
            work = Reconstruction(
                inputs, engine, options, following, asked_to_stop, watchers, settings
            )
            return work.run(), not asked_to_stop.taking
    except NothingMapped as error:
        stop(error, FAILED)
    except KeyboardInterrupt:
        say(f"Stopped. What is there so far goes on with --resume --out {options.out}.")
        raise typer.Exit(130) from None
    finally:
        for watcher in watchers:
            watcher.close()


def _watchers(viewer: str) -> tuple[Any, ...]:
    if not viewer:
        return ()
    from dens3r_ros.viewer.rerun_stream import open_stream

    with plain_errors():
        return (open_stream(viewer),)


def _report(finished: FinishedRun, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=str(out), show_header=False)
    for name, value in finished.written.files.items():
        table.add_row(name, value)
    Console(stderr=True).print(table)


def _command() -> str:
    import shlex
    import sys

    return shlex.join(["dens3r", *sys.argv[1:]])
