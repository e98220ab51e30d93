# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate cloud`: what was mapped or reconstructed, against the true surface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.progress import following


def cloud(
    folder: Annotated[
        Path, typer.Argument(help="Where `dens3r demo` or `dens3r reconstruct` left its results.")
    ],
    source: Annotated[str, typer.Argument(help="What it was of: a sequence with true depth.")],
) -> None:
    """Mean distances from the cloud to the true surface, and from that to the cloud; of mesh.ply,
    where there is one, the share of its corners within 3 cm of the true surface.

    They are brought to metres by the similarity between their trajectory and the true one, and
    thinned to a centimetre, as is the true surface.
    """
    from dens3r_ros.evaluation.cloud import model_errors
    from dens3r_ros.sources.opening import open_source

    with following("evaluate cloud"), plain_errors():
        errors = model_errors(folder, open_source(source))
    typer.echo(f"cloud to truth  {errors.cloud.accuracy_m:.3f} m")
    typer.echo(f"truth to cloud  {errors.cloud.completeness_m:.3f} m")
    typer.echo(f"chamfer         {errors.cloud.chamfer_m:.3f} m")
    if errors.mesh is not None:
        typer.echo(f"mesh in 3 cm    {100 * errors.mesh.near:.1f} %")
        typer.echo(f"mesh, median    {errors.mesh.median_m:.3f} m")
