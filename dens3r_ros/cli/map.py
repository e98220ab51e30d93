# SPDX-License-Identifier: Apache-2.0
"""`dens3r map`: what saved maps hold, and clouds, meshes and splats of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli import map_options as given
from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, write_json
from dens3r_ros.cli.common.progress import following

if TYPE_CHECKING:
    from dens3r_ros.mapping.files.map_file import LoadedMap
    from dens3r_ros.mapping.occupancy.scan import GridConfig

app = typer.Typer(no_args_is_help=True, help="Look into saved maps, and export them.")
MapPath = Annotated[Path, typer.Argument(metavar="MAP", help="A file that ~/save_map wrote.")]


@app.command()
def info(
    path: MapPath,
    json: JsonFile = None,
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
    if json != STDOUT:
        unit = "metres" if loaded.info.metric else "a free unit"
        for name, value in (said | {"lengths are in": unit}).items():
            shown = ", ".join(value) if isinstance(value, list) else value
            typer.echo(f"{name:<16} {shown}")
    write_json(dumps(said, indent=2), json)


@app.command()
def export(
    path: MapPath,
    ply: given.Ply = None,
    mesh: given.Mesh = None,
    grid: given.Grid = None,
    metres: given.Metres = None,
    resolution: given.Resolution = 0.05,
    min_height: given.MinHeight = 0.1,
    max_height: given.MaxHeight = 1.5,
    max_range: given.MaxRange = 6.0,
    splats: given.Splats = None,
    optimize: given.Optimize = 0,
    voxel: given.Voxel = None,
    min_confidence: given.MinConfidence = 2.0,
) -> None:
    """Write a map's surface as a cloud, a mesh or splats, or what stands on its floor as a plan."""
    if ply is None and mesh is None and grid is None and splats is None:
        raise typer.BadParameter(
            "name a file for the cloud (--ply), the mesh (--mesh), splats (--splats) or the floor "
            "plan (--grid)"
        )
    _check_splats(splats, optimize)
    band = None if grid is None else _band(grid, resolution, min_height, max_height, max_range)
    loaded = _loaded(path)
    if ply is not None:
        _write_cloud(ply, loaded, voxel, min_confidence)
    if mesh is not None:
        _write_mesh(mesh, loaded, voxel, min_confidence)
    if grid is not None and band is not None:
        _write_grid(grid, loaded, band, min_confidence, metres)
    if splats is not None:
        _write_splats(splats, loaded, voxel or 0.0, min_confidence, optimize)


def _check_splats(path: Path | None, optimize: int) -> None:
    """Before a map is read: whether there is a file for splats, and of a kind that is known."""
    from dens3r_ros.splats.files import check_suffix

    if path is not None:
        with plain_errors():
            check_suffix(path)
    elif optimize:
        raise typer.BadParameter("--optimize works on splats: name a file for them (--splats)")


def _band(
    path: Path, resolution: float, min_height: float, max_height: float, max_range: float
) -> GridConfig:
    """What counts for the floor plan, once it is known to make sense."""
    from dens3r_ros.mapping.occupancy.scan import GridConfig

    if path.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter(f"--grid writes a .yaml file, not {path.name}")
    if min_height >= max_height:
        raise typer.BadParameter(f"--min-height {min_height} is not below --max-height")
    return GridConfig(resolution, min_height, max_height, max_range)


def _write_cloud(path: Path, loaded: LoadedMap, voxel: float | None, min_confidence: float) -> None:
    from dens3r_ros.geometry.ply import write_ply
    from dens3r_ros.mapping.files.map_export import cloud, usual_voxel

    side = usual_voxel(loaded) if voxel is None else voxel
    with plain_errors(OSError):
        with following("cloud") as tell:
            points, colours = cloud(loaded, min_confidence, side, tell)
        write_ply(path, points, colours)
    typer.echo(f"{path}: {len(points)} points, one per {side:.4g}", err=True)


def _write_mesh(path: Path, loaded: LoadedMap, voxel: float | None, min_confidence: float) -> None:
    from dens3r_ros.mapping.files.map_export import MeshUnavailable, usual_voxel, write_mesh

    with plain_errors(OSError, MeshUnavailable), following("mesh") as tell:
        size = voxel or usual_voxel(loaded)
        triangles = write_mesh(path, loaded, min_confidence, size, tell)
    typer.echo(f"{path}: {triangles} triangles", err=True)


def _write_grid(
    path: Path, loaded: LoadedMap, config: GridConfig, min_confidence: float, metres: float | None
) -> None:
    """Draw the map's floor plan and write it."""
    from dens3r_ros.mapping.occupancy.occupancy import FREE, OCCUPIED, FloorPlan
    from dens3r_ros.mapping.occupancy.plan_file import stored_keyframes, write_plan

    if not loaded.info.metric and not metres:
        stop(
            "lengths of this map are in a unit of its own: --metres says how many metres one is "
            "(scale_metres of ~/status)"
        )
    with following("floor plan"):
        plan = FloorPlan(config).draw(stored_keyframes(loaded), metres or 1.0, min_confidence)
    if plan is None:
        stop("no keyframe of this map sees enough of a floor")
    write_plan(path, plan)
    free, occupied = ((plan.cells == kind).sum() for kind in (FREE, OCCUPIED))
    height, width = plan.cells.shape
    typer.echo(f"{path}: {width}x{height} cells, {free} free, {occupied} occupied", err=True)


def _write_splats(
    path: Path, loaded: LoadedMap, voxel: float, min_confidence: float, optimize: int
) -> None:
    from dens3r_ros.mapping.files.map_splats import splats_of_map, views_of_map
    from dens3r_ros.splats.files import write_splats
    from dens3r_ros.splats.from_views import SplatOptions
    from dens3r_ros.splats.optimising.optimisation import OptimisationConfig, optimised

    with plain_errors():
        with following("splats") as tell:
            made = splats_of_map(loaded, SplatOptions(min_confidence, voxel), tell)
        if optimize:
            with following("optimising splats", optimize) as tell:
                made = optimised(made, views_of_map(loaded), OptimisationConfig(optimize), tell)
        write_splats(path, made)
    typer.echo(f"{path}: {len(made)} splats", err=True)


def _loaded(path: Path) -> LoadedMap:
    from dens3r_ros.mapping.files.map_reading import read_map

    with following(f"reading {path}"), plain_errors():
        return read_map(path)


def _path_length(loaded: LoadedMap) -> float:
    import numpy as np

    from dens3r_ros.mapping.history.record import Record

    def place(record: Record) -> np.ndarray:
        return record.placed(loaded.poses[record.keyframe_id]).T_map_camera[:3, 3]

    total = 0.0
    for camera in {record.camera for record in loaded.records}:
        stands = [place(record) for record in loaded.records if record.camera == camera]
        total += float(np.linalg.norm(np.diff(stands, axis=0), axis=1).sum()) if stands[1:] else 0.0
    return total
