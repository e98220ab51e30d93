# SPDX-License-Identifier: Apache-2.0
"""`dens3r map`: what saved maps hold, and clouds and meshes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from dens3r_ros.mapping.files.map_file import LoadedMap

app = typer.Typer(no_args_is_help=True, help="Look into saved maps, and export them.")
T = TypeVar("T")
MapPath = Annotated[Path, typer.Argument(metavar="MAP", help="A file that ~/save_map wrote.")]


@app.command()
def info(
    path: MapPath,
    json: Annotated[
        Path | None, typer.Option(help="Write it to this file; - is standard output.")
    ] = None,
) -> None:
    """Verify a map and say what it holds."""
    from dataclasses import asdict
    from json import dumps

    loaded = _loaded(path)
    said = asdict(loaded.info)
    said["keyframes"] = len(loaded.keyframes)
    said["cameras"] = sorted({record.camera for record in loaded.records})
    said["path_length"] = round(_path_length(loaded), 3)
    said["bytes"] = path.stat().st_size
    if json is None or str(json) != "-":
        unit = "metres" if loaded.info.metric else "a free unit"
        for name, value in (said | {"lengths are in": unit}).items():
            shown = ", ".join(value) if isinstance(value, list) else value
            typer.echo(f"{name:<16} {shown}")
    if json is not None:
        text = dumps(said, indent=2)
        if str(json) == "-":
            typer.echo(text)
        else:
            json.write_text(text + "\n", encoding="utf-8")


@app.command()
def export(
    path: MapPath,
    ply: Annotated[Path | None, typer.Option(help="Write a coloured cloud to this file.")] = None,
    mesh: Annotated[
        Path | None, typer.Option(help="Write a mesh to this file (.ply, .obj); needs open3d.")
    ] = None,
    voxel: Annotated[
        float | None,
        typer.Option(min=0, help="Side of the cubes that one point stands for, in the map's unit."),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=1, help="Points of less confidence are left out; 1 is none.")
    ] = 2.0,
) -> None:
    """Write a map's surface as a cloud, a mesh, or both."""
    if ply is None and mesh is None:
        raise typer.BadParameter("name a file for the cloud (--ply) or the mesh (--mesh)")
    from dens3r_ros.geometry.ply import write_ply
    from dens3r_ros.mapping.files.map_export import MeshUnavailable, cloud, usual_voxel, write_mesh

    loaded = _loaded(path)
    side = usual_voxel(loaded) if voxel is None else voxel
    try:
        if ply is not None:
            points, colours = _followed(
                "cloud", lambda progress: cloud(loaded, min_confidence, side, progress)
            )
            write_ply(ply, points, colours)
            typer.echo(f"{ply}: {len(points)} points, one per {side:.4g}", err=True)
        if mesh is not None:
            size = side or usual_voxel(loaded)
            triangles = _followed(
                "mesh", lambda progress: write_mesh(mesh, loaded, min_confidence, size, progress)
            )
            typer.echo(f"{mesh}: {triangles} triangles", err=True)
    except (OSError, MeshUnavailable) as error:
        _fail(error)


def _followed(title: str, work: Callable[[Callable[[int, int], None]], T]) -> T:
    """Do the work behind a progress bar."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def _loaded(path: Path) -> LoadedMap:
    from dens3r_ros.mapping.files.map_reading import read_map

    try:
        return read_map(path)
    except (OSError, ValueError) as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(1) from error


def _path_length(loaded: LoadedMap) -> float:
    import numpy as np

    from dens3r_ros.mapping.step import Record

    def place(record: Record) -> np.ndarray:
        return record.placed(loaded.poses[record.keyframe_id]).T_map_camera[:3, 3]

    total = 0.0
    for camera in {record.camera for record in loaded.records}:
        stands = [place(record) for record in loaded.records if record.camera == camera]
        total += float(np.linalg.norm(np.diff(stands, axis=0), axis=1).sum()) if stands[1:] else 0.0
    return total
