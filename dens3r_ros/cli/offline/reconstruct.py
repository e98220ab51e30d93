# SPDX-License-Identifier: Apache-2.0
"""`dens3r reconstruct`: videos, folders, bags and cameras to models that other programs open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.files import writable_folder
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.offline.moving import Moving, with_moving
from dens3r_ros.cli.splats.steps import NO_SPLATS, Steps

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.nodes.settings.config import NodeConfig
    from dens3r_ros.reconstruction.pipeline.options import Options
    from dens3r_ros.reconstruction.pipeline.run import FinishedRun
    from dens3r_ros.sources.inputs import Input

GEOMETRIC_SIDE = 512
"""Long side at which geometry matches where nothing else is asked for: phones take far more."""


def reconstruct(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Folder of images, video, rosbag2 (folder, .mcap, .db3), TUM or EuRoC sequence, "
            "number of a camera, rtsp:// address. Several are read one after the other.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.", callback=writable_folder)],
    engine: Annotated[
        str, typer.Option(help="auto, torch, onnx, geometric, hybrid, or module:factory.")
    ] = "auto",
    model: Annotated[str, typer.Option(help="Name or path of a model, for networks.")] = "",
    size: Annotated[
        int,
        typer.Option(
            min=0,
            max=4096,
            help="Long side in pixels to work at; 0 is the model's own, 512 for geometry.",
        ),
    ] = 0,
    every: Annotated[int, typer.Option(min=1, help="Take each N-th image.")] = 1,
    fps: Annotated[
        float,
        typer.Option(
            min=0, help="Take at most so many images a second; of a folder, how many were taken."
        ),
    ] = 0.0,
    start: Annotated[float, typer.Option(min=0, help="Seconds to skip at the beginning.")] = 0.0,
    end: Annotated[
        float | None, typer.Option(min=0, help="Seconds from the beginning at which to end.")
    ] = None,
    intrinsics: Annotated[
        str,
        typer.Option(
            help="The lens, if known: FX,FY,CX,CY in pixels of the images, or a YAML file: fx, fy, "
            "cx, cy, or a calibration as ROS's camera_calibration writes it (distortion is undone)."
        ),
    ] = "",
    topic: Annotated[str, typer.Option(help="Image topic, of a bag with several cameras.")] = "",
    config: Annotated[
        Path | None, typer.Option(help="Parameters of the node, as for `dens3r demo`.")
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            help="video: images in their order; photos: in any order; auto: by what they look like."
        ),
    ] = "auto",
    live: Annotated[
        bool, typer.Option("--live", help="Only what the node does: leave refinement out.")
    ] = False,
    save_depth: Annotated[
        bool, typer.Option("--save-depth", help="Write every frame's depth: 16-bit PNG and .npz.")
    ] = False,
    save_normals: Annotated[
        bool, typer.Option("--save-normals", help="Write every frame's normals as PNG.")
    ] = False,
    mesh: Annotated[
        bool, typer.Option("--mesh", help="Write a mesh, mesh.ply and mesh.glb; needs open3d.")
    ] = False,
    mesh_faces: Annotated[
        int, typer.Option(min=0, help="Thin the mesh to about so many triangles; 0 does not.")
    ] = 0,
    mcap: Annotated[
        bool, typer.Option("--mcap", help="Write the node's topics and TF as a bag, result.mcap.")
    ] = False,
    splats: Annotated[
        bool, typer.Option("--splats", help="Write Gaussian splats, splats.ply.")
    ] = False,
    optimize: Steps = 0,
    voxel: Annotated[
        float,
        typer.Option(
            min=0, help="Side of the cubes that one point of the cloud stands for; 0 is fine."
        ),
    ] = 0.0,
    moving: Moving = "off",
    viewer: Annotated[
        str,
        typer.Option(
            help="rerun shows the run as it goes; a name that ends in .rrd writes it to that file."
        ),
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was cut short.")
    ] = False,
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
        stop(NO_SPLATS)
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
    settings = {
        "input": ", ".join(one.name for one in opened),
        "command": _command(),
        "engine": chosen.info.name,
        "model": chosen.info.model,
        "image size": chosen.info.image_size,
    }
    finished, whole = _run(opened, chosen, options, viewer, settings)
    _report(finished, out)
    if not whole:
        raise typer.Exit(130)


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
