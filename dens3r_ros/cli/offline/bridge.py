# SPDX-License-Identifier: Apache-2.0
"""`dens3r bridge`: the pose between two photos that hardly overlap, by clips made between them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import EngineName, Lens, ModelName, WorkSize, work_side
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.reconstruction.bridging.bridging import Bridged
    from dens3r_ros.reconstruction.bridging.clips import Clip
    from dens3r_ros.reconstruction.bridging.consistency import Judged


def bridge(
    a: Annotated[Path, typer.Argument(metavar="A", help="One photo.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other.")],
    videos: Annotated[
        Path | None,
        typer.Option(help="Folder with clips of the way between: films, or folders of images."),
    ] = None,
    generator: Annotated[
        str,
        typer.Option(
            help="Command that makes a clip between photos {a} and {b} in the folder {out}; run "
            "--clips times, every other time with the photos exchanged. With --videos its clips "
            "are kept there, beside those of earlier runs, which count too."
        ),
    ] = "",
    clips: Annotated[int, typer.Option(min=1, help="How often the generator is run.")] = 4,
    tries: Annotated[
        int, typer.Option(min=2, help="How often each clip is asked, with other frames of it.")
    ] = 5,
    frames: Annotated[
        int, typer.Option(min=1, help="Frames of a clip that are taken beside A and B each time.")
    ] = 4,
    engine: EngineName = "geometric",
    model: ModelName = "",
    size: WorkSize = 0,
    intrinsics: Lens = "",
    seed: Annotated[int, typer.Option(help="Of which frames are taken.")] = 0,
    json: JsonFile = None,
) -> None:
    """Find how two photos with little in common stand to each other, by way of generated clips.

    Any program that makes clips from one photo to another will do. Clips that contradict
    themselves or all others are told apart; where the photos alone are the better bet, it says so.
    Clips of A's shape are taken to be seen through its lens. Exit code 1 says that no pose was
    found.
    """
    from json import dumps

    from dens3r_ros.reconstruction.bridging.bridging import BridgeOptions
    from dens3r_ros.reconstruction.bridging.bridging import bridge as bridged
    from dens3r_ros.sources.inputs.one_image import read_one

    if videos is None and not generator:
        stop("nothing lies between: name --videos DIR, or --generator 'CMD {a} {b} {out}'")
    with plain_errors():
        photos = read_one(a, intrinsics), read_one(b, intrinsics)
        known = not any(rough for _, rough in photos)
        options = BridgeOptions(tries, frames, seed, known)
        chosen = _engine(engine, model, size)
        with _clips((a, b), videos, generator, clips) as between, following("asking clips") as tell:
            found = bridged((photos[0][0], photos[1][0]), between, chosen, options, tell)
    if json != STDOUT:
        _tell(found)
    told = {"a": str(a), "b": str(b), "engine": engine, **_told(found)}
    write_json(dumps(told, indent=2), json)
    if found.best is None:
        raise typer.Exit(FAILED)


def _engine(name: str, model: str, size: int) -> Any:
    from dens3r_ros.engines.loading import load_engine

    return load_engine(name, model, max_side=work_side(name, size))


@contextmanager
def _clips(
    photos: tuple[Path, Path], videos: Path | None, generator: str, count: int
) -> Iterator[list[Clip]]:
    """All clips; those that are made here are kept only where a folder was named."""
    from dens3r_ros.reconstruction.bridging.clips import check_generator, clips_in, generate

    if not generator:
        assert videos is not None  # one of both was asked for
        yield clips_in(videos)
        return
    check_generator(generator)
    with tempfile.TemporaryDirectory(prefix="dens3r_clips_") as folder:
        with following("making clips", count) as tell:

            def on_run(done: int, problem: str) -> None:
                tell(done)
                if problem:
                    typer.echo(f"run {done} of the generator made no clip: {problem}", err=True)

            made = generate(generator, photos, videos or Path(folder), count, on_run)
        yield made


def _tell(found: Bridged) -> None:
    """What people read."""
    for one in found.clips:
        typer.echo(_line(one))
    for name in found.useless:
        typer.echo(f"{name}: no pose in any try")
    typer.echo(_line(found.direct) if found.direct else "the photos alone: no pose in any try")
    best = found.best
    if best is None:
        typer.echo("no pose: neither the photos nor any clip ties one to the other")
        return
    if best is found.direct:
        beside = f", {found.clips[0].name} {found.clips[0].score:.1f}" if found.clips else ""
        typer.echo(f"the better bet is the direct pose: score {best.score:.1f} degrees{beside}")
    else:
        beside = f"{found.direct.score:.1f}" if found.direct else "none"
        typer.echo(
            f"the better bet is by {best.name}: score {best.score:.1f} degrees, direct {beside}"
        )
    unit = " m" if found.metric else ""
    x, y, z = _shift(best, found.metric)
    qx, qy, qz, qw = _quaternion(best)
    typer.echo(
        f"B in A's frame: x {x:.4f} y {y:.4f} z {z:.4f}{unit}"
        f"{'' if found.metric else ' (direction only)'},"
        f" orientation xyzw {qx:.5f} {qy:.5f} {qz:.5f} {qw:.5f}"
    )


def _line(one: Judged) -> str:
    return (
        f"{one.name}: score {one.score:.1f} degrees: its tries are {one.spread:.1f} apart, and"
        f" {one.bias:.1f} from the consensus; {one.found} of {one.tried} tries gave a pose"
    )


def _told(found: Bridged) -> dict[str, Any]:
    """What JSON tells."""
    best = found.best
    return {
        "better": None if best is None else "direct" if best is found.direct else best.name,
        "lengths": "metres" if found.metric else "direction only",
        "direct": None if found.direct is None else _row(found.direct, found.metric),
        "clips": [_row(one, found.metric) for one in found.clips],
        "without_pose": list(found.useless),
    }


def _row(one: Judged, metric: bool) -> dict[str, Any]:
    T = one.T_a_b.copy()
    T[:3, 3] = _shift(one, metric)
    return {
        "name": one.name,
        "score": one.score,
        "spread": one.spread,
        "bias": one.bias,
        "found": one.found,
        "tried": one.tried,
        "T_a_b": T.tolist(),
        "orientation_xyzw": _quaternion(one).tolist(),
    }


def _shift(one: Judged, metric: bool) -> Any:
    """The translation, of length 1 where lengths mean nothing."""
    from numpy.linalg import norm

    t = one.T_a_b[:3, 3]
    return t if metric else t / max(float(norm(t)), 1e-12)


def _quaternion(one: Judged) -> Any:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(one.T_a_b[:3, :3]).as_quat()
