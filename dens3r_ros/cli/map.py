# SPDX-License-Identifier: Apache-2.0
"""`dens3r map`: what saved maps hold, and clouds, meshes and splats of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.common.files import STDOUT, JsonFile, writable, write_json
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.splats.steps import NO_SPLATS, Steps

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
    ply: Annotated[
        Path | None, typer.Option(callback=writable, help="Write a coloured cloud to this file.")
    ] = None,
    mesh: Annotated[
        Path | None,
        typer.Option(
            callback=writable, help="Write a mesh to this file (.ply, .obj); needs open3d."
        ),
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option(
            callback=writable,
            help="Write a floor plan for nav2_map_server to this .yaml file, and a .pgm beside it.",
        ),
    ] = None,
    metres: Annotated[
        float | None,
        typer.Option(min=0, help="Metres of the map's unit, where that is a free one; for --grid."),
    ] = None,
    resolution: Annotated[
        float, typer.Option(min=0.01, max=1, help="Side of the plan's cells, metres.")
    ] = 0.05,
    min_height: Annotated[
        float, typer.Option(min=0, max=5, help="Metres above the floor below which nothing counts.")
    ] = 0.1,
    max_height: Annotated[
        float, typer.Option(min=0.05, max=20, help="The same above which nothing counts.")
    ] = 1.5,
    max_range: Annotated[
        float, typer.Option(min=0.5, max=100, help="Metres from the camera that the plan believes.")
    ] = 6.0,
    splats: Annotated[
        Path | None,
        typer.Option(
            callback=writable, help="Write Gaussian splats to this file (.ply, .splat, .spz)."
        ),
    ] = None,
    optimize: Steps = 0,
    voxel: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Side of the cubes that one point stands for, in the map's unit; of splats as wide"
            " as a pixel unless given.",
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=1, help="Points of less confidence are left out; 1 is none.")
    ] = 2.0,
) -> None:
    """Write a map's surface as a cloud, a mesh or splats, or what stands on its floor as a plan."""
    if ply is None and mesh is None and grid is None and splats is None:
        raise typer.BadParameter(
            "name a file for the cloud (--ply), the mesh (--mesh), splats (--splats) or the floor "
            "plan (--grid)"
        )
    if grid is not None and grid.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter(f"--grid writes a .yaml file, not {grid.name}")
    if min_height >= max_height:
        raise typer.BadParameter(f"--min-height {min_height} is not below --max-height")
    if optimize and splats is None:
        raise typer.BadParameter(NO_SPLATS)
    if splats is not None:
        from dens3r_ros.splats.files import check_suffix

        with plain_errors():
            check_suffix(splats)
    from dens3r_ros.geometry.ply import write_ply
    from dens3r_ros.mapping.files.map_export import MeshUnavailable, cloud, usual_voxel, write_mesh

    loaded = _loaded(path)
    side = usual_voxel(loaded) if voxel is None else voxel
    with plain_errors(OSError, MeshUnavailable):
        if ply is not None:
            with following("cloud") as tell:
                points, colours = cloud(loaded, min_confidence, side, tell)
            write_ply(ply, points, colours)
            typer.echo(f"{ply}: {len(points)} points, one per {side:.4g}", err=True)
        if mesh is not None:
            size = side or usual_voxel(loaded)
            with following("mesh") as tell:
                triangles = write_mesh(mesh, loaded, min_confidence, size, tell)
            typer.echo(f"{mesh}: {triangles} triangles", err=True)
        if grid is not None:
            from dens3r_ros.mapping.occupancy.scan import GridConfig

            band = GridConfig(resolution, min_height, max_height, max_range)
            _write_grid(grid, loaded, band, min_confidence, metres)
    if splats is not None:
        _write_splats(splats, loaded, voxel or 0.0, min_confidence, optimize)


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
