# SPDX-License-Identifier: Apache-2.0
"""`dens3r bench`: what things cost on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import ImageSize, OwnImageSize, Size
from dens3r_ros.cli.servers import bench_fleet, bench_outage, bench_pictures
from dens3r_ros.cli.splats import bench as bench_splats

USUAL = Size(512, 384)
OF_WINDOWS = Size(504, 378)
app = typer.Typer(no_args_is_help=True, help="Measure what things cost on this machine.")
app.command("fleet")(bench_fleet.fleet)
app.command("outage")(bench_outage.outage)
app.command("pictures")(bench_pictures.pictures)
app.command("splats")(bench_splats.splats)


@app.command()
def pair(
    model: Annotated[
        str, typer.Option(help="Path, name, or random:NAME for a published network's shape.")
    ] = "random:dust3r-512-dpt",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")] = "auto",
    size: OwnImageSize = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often every stage is measured.")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="Of the CPU; 0 is one per core.")] = 0,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Let torch.compile fuse the network (minutes).")
    ] = False,
    onnx: Annotated[
        Path | None, typer.Option(help="An export of the same model to measure beside it.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Also time a pair the published way, in float32.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Time encoding, decoding and heads of a pair, and a new frame against three keyframes.

    Every round measures all stages and a matrix product in turn; ratios are medians of the ratios
    within rounds. On random weights times are those of trained ones.
    """
    from dens3r_ros.engines.bench.pair import PairBenchOptions, bench_pair
    from dens3r_ros.engines.precision import choose_device, choose_precision

    with plain_errors():
        choose_precision(precision, choose_device(device))

    wanted = None if size is None else size.rows_first
    options = PairBenchOptions(
        model, device, precision, wanted, rounds, threads, compiled, onnx, plain
    )
    with following("bench pair"), plain_errors():
        figures = bench_pair(options, lambda line: typer.echo(line, err=True))
    write_figures(figures, json)


@app.command()
def window(
    model: Annotated[
        str, typer.Option(help="Path, name, or random:NAME for a published network's shape.")
    ] = "random:da3-small",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")] = "auto",
    size: ImageSize = OF_WINDOWS,
    views: Annotated[int, typer.Option(min=2, max=32, help="Looked at together.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often every stage is measured.")] = 5,
    threads: Annotated[int, typer.Option(min=0, help="Of the CPU; 0 is one per core.")] = 0,
    json: JsonFile = None,
) -> None:
    """Time a network of many views: a window from scratch, and a new frame against kept ones.

    Every round measures all stages and a matrix product in turn; `new_frame_ratio` is the median of
    new frame over from scratch within rounds, `new_frame_own_map_ratio` that where no maps of the
    kept ones are wanted. On random weights times are those of trained ones. `peak_mib` is the most
    memory that the process (on a GPU: its tensors) held, weights included. Where the precision is
    not fp32, a window in float32 tells what that changes in depth and poses.
    """
    from dens3r_ros.engines.bench.window import WindowBenchOptions, bench_window
    from dens3r_ros.engines.precision import choose_device, choose_precision

    with plain_errors():
        choose_precision(precision, choose_device(device))
    options = WindowBenchOptions(model, device, precision, size.rows_first, views, rounds, threads)
    with following("bench window"), plain_errors():
        figures = bench_window(options, lambda line: typer.echo(line, err=True))
    write_figures(figures, json)


@app.command()
def preprocess(
    images: Annotated[Path, typer.Argument(help="A folder of images of one size.")],
    model: Annotated[str, typer.Option(help="Path, name, or random:NAME.")],
    count: Annotated[int, typer.Option(min=2, help="How many of the images, evenly spread.")] = 6,
    json: JsonFile = None,
) -> None:
    """Compare the fast preprocessing with the published one: time, pixels, and a model's outputs.

    Changes are medians over pixels: relative, or degrees for normals and descriptors. Beside them
    stand those that a noise of one grey level makes.
    """
    import numpy as np
    from PIL import Image

    from dens3r_ros.engines.bench.preprocess import bench_preprocess
    from dens3r_ros.engines.loading import load_named_network

    with following("bench preprocess"), plain_errors():
        paths = sorted(path for path in images.iterdir() if path.suffix in (".jpg", ".png"))
        if len(paths) < 2:
            raise ValueError(f"{images} holds {len(paths)} .jpg or .png images; two are needed")
        chosen = [paths[index] for index in np.linspace(0, len(paths) - 1, count).astype(int)]
        pixels = [np.array(Image.open(path).convert("RGB")) for path in chosen]
        figures = bench_preprocess(load_named_network(model), pixels)
    write_figures(figures, json)


@app.command()
def mapping(
    size: ImageSize = USUAL,
    frames: Annotated[int, typer.Option(min=20, help="How many are mapped.")] = 2000,
    json: JsonFile = None,
) -> None:
    """Time mapping without its engine, frame by frame, on a procedural walk back and forth.

    Keyframes are made on and on, as on a long way. Times are milliseconds on this machine as
    loaded; stages named decode, encode and keyframe contain the oracle engine's own time.
    """
    from dens3r_ros.evaluation.bench_mapping import BenchSize, bench_mapping

    with following("bench mapping", frames) as tell:
        figures = bench_mapping(BenchSize(size.rows_first, frames), tell)
    write_figures(figures, json)


@app.command()
def imu(
    rate: Annotated[float, typer.Option(min=50, max=1000, help="Readings a second.")] = 400.0,
    seconds: Annotated[float, typer.Option(min=5, max=300, help="Walked for so long.")] = 40.0,
    json: JsonFile = None,
) -> None:
    """Measure what an inertial sensor costs beside a camera of 30 Hz, in percent of one core.

    CPU time of taking readings in, of telling how the camera turned, and of learning metres,
    attempts to align included. Receiving messages over DDS is not in it.
    """
    from dens3r_ros.evaluation.bench_imu import bench_imu

    with following("bench imu"):
        figures = bench_imu(rate, seconds)
    write_figures(figures, json)


@app.command()
def grid(
    keyframes: Annotated[int, typer.Option(min=20, max=5000, help="In the map.")] = 200,
    json: JsonFile = None,
) -> None:
    """Measure what a floor plan costs: drawn first, anew after a loop, and following the window.

    CPU time of one thread, on simulated keyframes in a hall of 20 m.
    """
    from dens3r_ros.evaluation.bench_grid import bench_grid

    with following("bench grid"):
        figures = bench_grid(keyframes)
    write_figures(figures, json)


@app.command()
def node(
    frames: Annotated[
        int,
        typer.Option(
            min=20,
            max=20000,
            help="Images that are listened to; 5000 for memory. With fewer than 300, the times of "
            "stages hold those of the idle ones too.",
        ),
    ] = 1000,
    idle_frames: Annotated[
        int, typer.Option(min=20, max=300, help="Images before, to which nobody listens.")
    ] = 100,
    rate: Annotated[float, typer.Option(min=1, max=200, help="Most images a second.")] = 30.0,
    size: ImageSize = USUAL,
    domain: Annotated[int, typer.Option(min=0, max=232, help="DDS domain to measure in.")] = 87,
    plain_camera: Annotated[
        bool, typer.Option("--plain-camera", help="A camera without any of our DDS settings.")
    ] = False,
    plain_listener: Annotated[
        bool, typer.Option("--plain-listener", help="A listener without any of our settings.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Measure the node itself: camera, node and listener are processes that talk over DDS.

    The engine sees the same wall in every image, so that what is left is mapping and the node. The
    camera sends an image once the one before was answered.

    \b
    take_ms_p50               rclpy makes an Image of bytes (timed in the camera's process)
    receive_ms_p50, _p95      message to undistorted RGB
    publish_maps_ms_p50, ...  points with normals, depth, normals twice, confidence: packed and sent
    publish_poses_ms_p50, ... odometry, pose, TF
    own_ms_p50                sum of the four medians: the node without network and mapping
    idle_publish_maps_ms_...  the same with nobody listening to maps
    images_...                sent, processed, lost, dropped with listener; processed a second
    outputs_expected, ...     messages of all topics; lost, repeated, of no image, by stamp
    latency_p50_ms, _p95      image's stamp to the arrival of the last of its outputs
    rss_mib                   the node's memory at the end
    rss_growth_percent        since frame 500; NaN with fewer frames
    """
    try:
        from dens3r_ros.nodes.bench.run import BenchError, NodeBenchOptions, bench_node
    except ModuleNotFoundError as error:
        stop(f"this needs ROS 2, and {error.name} is missing: run make setup")
    options = NodeBenchOptions(
        frames, idle_frames, rate, size.width, size.height, domain, plain_camera, plain_listener
    )
    with following("bench node"), plain_errors(BenchError, code=FAILED):
        figures = bench_node(options, lambda line: typer.echo(line, err=True))
    write_figures(figures, json)


@app.command()
def live(
    source: Annotated[
        str, typer.Argument(help="What the camera plays: a folder, a video, procedural:...")
    ] = "",
    rate: Annotated[float, typer.Option(min=1, max=200, help="Images a second.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=5, help="Stop after so long.")] = 60.0,
    config: Annotated[
        Path | None, typer.Option(help="The node's parameters; config/cpu.yaml unless given.")
    ] = None,
    engine: Annotated[str, typer.Option(help="As the node's engine.name.")] = "geometric",
    model: Annotated[str, typer.Option(help="As the node's engine.model.")] = "",
    domain: Annotated[int, typer.Option(min=0, max=232, help="DDS domain to measure in.")] = 87,
    loop: Annotated[
        bool, typer.Option("--loop", help="Play on and on, until the seconds are over.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(help="Write the figures to this file; - is standard output.")
    ] = None,
) -> None:
    """Measure the node with a camera that does not wait for it; the demo's walk unless another.

    \b
    images_...                received, processed, dropped, with a pose
    epochs                    1 where poses line up from first to last
    tracked_per_second        odometry messages a second, from the first to the last
    decoded, _per_second      images that the engine decoded
    latency_p50_ms, ...       an image's stamp to the arrival of its odometry
    cpu_ms_an_image           the node's CPU time, all threads, an image received
    ..._by_stage              of it, what each stage's own thread computed an image processed
    rss_mib, _growth_percent  the node's memory at the end; its growth since frame 500
    images_in_the_path        poses in the end, those found late included; where the truth is known
    path_m, ate_sim3_m        the true way's length, and the error of positions, aligned by Sim(3)
    fixed_ms_p50, ...         a fixed computation, once a second meanwhile: wall and CPU time
    """
    try:
        from dens3r_ros.nodes.bench.live import LiveOptions, bench_live
        from dens3r_ros.nodes.bench.run import BenchError
    except ModuleNotFoundError as error:
        typer.echo(f"this needs ROS 2, and {error.name} is missing: run make setup", err=True)
        raise typer.Exit(1) from error
    from dens3r_ros.resources import resource_dir

    folder = resource_dir("config")
    source = source or str(folder / "demo" / "walk.mp4")
    options = LiveOptions(
        source, rate, seconds, config or folder / "cpu.yaml", engine, model, domain, loop
    )
    try:
        figures = bench_live(options, lambda line: typer.echo(line, err=True))
    except BenchError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    write_figures(figures, json)
