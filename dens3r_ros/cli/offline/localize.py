# SPDX-License-Identifier: Apache-2.0
"""`dens3r localize`: where images were taken, in a saved map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.options import EngineName, Lens, ModelName, WorkSize, work_side
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.frame import Frame
    from dens3r_ros.mapping.files.map_file import LoadedMap
    from dens3r_ros.mapping.localising.averaging import AveragingLocaliser
    from dens3r_ros.mapping.localising.localiser import Localiser
    from dens3r_ros.mapping.localising.opinions import Located

WAYS = ("points", "averaging")


def localize(
    path: Annotated[
        Path, typer.Argument(metavar="MAP", help="A file that ~/save_map or reconstruct wrote.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files, each for itself.")
    ],
    engine: EngineName = "geometric",
    model: ModelName = "",
    size: WorkSize = 0,
    intrinsics: Lens = "",
    way: Annotated[
        str,
        typer.Option(
            help="points: by the map's points that the image shows. averaging: by how it stands to "
            "ten keyframes, which needs views from several sides; also with a Reloc3r as --model, "
            "for which no lens need be known."
        ),
    ] = "points",
    json: JsonFile = None,
) -> None:
    """Find the poses at which images were taken, in the frame of a saved map.

    Keyframes that look alike are matched both ways; a pose is told only where that fits. Without a
    lens, images of the map's shape are taken to be of its camera. Exit code 1 says that no image
    was found.
    """
    from json import dumps

    from dens3r_ros.mapping.files.map_reading import read_map

    if way not in WAYS:
        stop(f"way {way!r} is none of {', '.join(WAYS)}")
    with plain_errors():
        _check(images)
        with following(f"reading {path}"):
            loaded = read_map(path)
        localiser = _localiser(loaded, way, engine, model, size)
    rows = []
    with following("localizing", len(images)) as tell:
        for number, (image, found) in enumerate(_found(localiser, images, intrinsics)):
            rows.append({"image": str(image), **_row(found)})
            tell(number + 1)
            if json != STDOUT:
                typer.echo(_line(image, found, localiser.metric))
    unit = "metres" if localiser.metric else "the map's unit"
    told = {"map": str(path), "engine": engine, "way": way, "lengths": unit, "images": rows}
    write_json(dumps(told, indent=2), json)
    if not any(row["found"] for row in rows):
        raise typer.Exit(FAILED)


def _check(images: list[Path]) -> None:
    """What is no file is told before any work."""
    for image in images:
        if image.is_dir():
            raise IsADirectoryError(f"{image} is a folder; name image files, as in {image}/*.jpg")
        if not image.is_file():
            raise FileNotFoundError(f"{image}: no such file")


def _localiser(
    loaded: LoadedMap, way: str, engine: str, model: str, size: int
) -> Localiser | AveragingLocaliser:
    side = work_side(engine, size)
    if way == "averaging":
        from dens3r_ros.engines.relative.loading import load_poser
        from dens3r_ros.mapping.localising.averaging import AveragingLocaliser

        return AveragingLocaliser(loaded, load_poser(engine, model, side))
    from dens3r_ros.engines.loading import load_engine
    from dens3r_ros.mapping.localising.localiser import Localiser

    return Localiser(loaded, load_engine(engine, model, max_side=side))


def _found(
    localiser: Localiser | AveragingLocaliser, images: list[Path], intrinsics: str
) -> Iterator[tuple[Path, Located | str]]:
    for image in images:
        frame = _read(image, intrinsics)
        yield image, frame if isinstance(frame, str) else localiser.place(frame)


def _read(image: Path, intrinsics: str) -> Frame | str:
    """One image with its lens where that is known; why it cannot be read."""
    from dens3r_ros.sources.inputs.one_image import UnreadableImage, read_one

    with plain_errors():
        try:
            return read_one(image, intrinsics)[0]
        except UnreadableImage as error:
            return str(error)


def _row(found: Located | str) -> dict[str, Any]:
    """What JSON tells of one image."""
    if isinstance(found, str):
        return {"found": False, "reason": found}
    from scipy.spatial.transform import Rotation

    return {
        "found": True,
        "position": found.T_map_camera[:3, 3].tolist(),
        "orientation_xyzw": Rotation.from_matrix(found.T_map_camera[:3, :3]).as_quat().tolist(),
        "T_map_camera": found.T_map_camera.tolist(),
        "covariance": found.covariance.tolist(),
        "keyframes": list(found.keyframes),
        "piece": found.piece,
        "matched": found.matched,
        "inliers": found.inliers,
        "lens": found.lens,
    }


def _line(image: Path, found: Located | str, metric: bool) -> str:
    """What people read of one image."""
    if isinstance(found, str):
        return f"{image}: not found: {' '.join(found.split())}"
    from math import degrees

    unit = " m" if metric else ""
    x, y, z = found.T_map_camera[:3, 3]
    near, turned = found.sigma
    by = "keyframe" if len(found.keyframes) == 1 else "keyframes"
    named = ", ".join(map(str, found.keyframes))
    warned = " (lens guessed: give --intrinsics)" if found.lens == "guessed" else ""
    return (
        f"{image}: x {x:.3f} y {y:.3f} z {z:.3f}{unit}, sigma {near:.3f}{unit} and"
        f" {degrees(turned):.2f} degrees, by {by} {named}{warned}"
    )
