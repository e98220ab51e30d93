# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate splats`: splats against images that were left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import STDOUT, JsonFile, writable_folder, write_json
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import OwnImageSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dens3r_ros.evaluation.splats import Picture
    from dens3r_ros.splats.splats import Splats
    from dens3r_ros.splats.view import PhotoView


def splats(
    source: Annotated[
        str,
        typer.Argument(
            help="A saved map; or a sequence with true poses and depth, procedural:... too."
        ),
    ],
    every: Annotated[
        int, typer.Option(min=1, help="Of a sequence, take each N-th frame as a keyframe.")
    ] = 4,
    size: OwnImageSize = None,
    optimize: Annotated[
        int, typer.Option(min=0, help="Also optimise the splats for so many steps.")
    ] = 0,
    min_confidence: Annotated[
        float, typer.Option(min=1, help="Points of less confidence are left out; 1 is none.")
    ] = 2.0,
    device: Annotated[
        str, typer.Option(help="To optimise on: auto (CUDA where gsplat is installed), cpu, cuda.")
    ] = "auto",
    pictures: Annotated[
        Path | None,
        typer.Option(
            callback=writable_folder,
            help="Write each left-out image beside its pictures into this folder.",
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """PSNR and SSIM of splats on keyframes left out, every eighth, beside the cloud as points.

    Colours are compared as they are: no exposure is fitted to the images left out.
    """
    from dens3r_ros.evaluation.splats import cloud_picture, left_out, scored, splats_picture
    from dens3r_ros.splats.from_views import SplatOptions, splats_of_views

    with plain_errors():
        kept, out = left_out(_views(source, every, (size.width, size.height) if size else None))
        with following("splats", len(kept)) as tell:
            made = splats_of_views(kept, options=SplatOptions(min_confidence), progress=tell)
        draws: dict[str, Picture] = {"points": cloud_picture(made), "splats": splats_picture(made)}
        shown = {"points": made, "splats": made}
        if optimize:
            shown["optimised"] = _optimised(made, kept, optimize, device)
            draws["optimised"] = splats_picture(shown["optimised"])
        figures: dict[str, object] = {"source": source, "made_of": len(kept), "left_out": len(out)}
        for name, draw in draws.items():
            figures |= scored(shown[name], out, draw).figures(name)
    _report(figures, json_file)
    _write(pictures, out, list(draws.values()))


def _views(source: str, every: int, size: tuple[int, int] | None) -> list[PhotoView]:
    if Path(source).is_file():
        from dens3r_ros.mapping.files.map_reading import read_map
        from dens3r_ros.mapping.files.map_splats import views_of_map

        with following(f"reading {source}"):
            views = views_of_map(read_map(Path(source)))
        return [view.resized(*size) for view in views] if size else views
    from dens3r_ros.evaluation.splats import views_of_source
    from dens3r_ros.sources.opening import open_source

    opened = open_source(source)
    with following(f"reading {source}", len(range(0, len(opened), every))) as tell:
        return views_of_source(opened, every, size, tell)


def _optimised(made: Splats, views: Sequence[PhotoView], steps: int, device: str) -> Splats:
    from dens3r_ros.splats.optimising.optimisation import OptimisationConfig, optimised

    with following("optimising", steps) as tell:
        return optimised(made, views, OptimisationConfig(steps=steps, device=device), tell)


def _report(figures: dict[str, object], json_file: Path | None) -> None:
    if json_file != STDOUT:
        for name, value in figures.items():
            shown = f"{value:.3f}" if isinstance(value, float) else value
            typer.echo(f"{name:<18} {shown}")
    write_json(json.dumps(figures, indent=2), json_file)


def _write(folder: Path | None, views: Sequence[PhotoView], draws: Sequence[Picture]) -> None:
    if folder is not None:
        from dens3r_ros.evaluation.splats import write_pictures

        write_pictures(folder, views, draws)
        typer.echo(f"{folder}: {len(views)} pictures", err=True)
