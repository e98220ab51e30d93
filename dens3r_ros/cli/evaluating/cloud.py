# SPDX-License-Identifier: Apache-2.0
"""`dens3r evaluate cloud`: what `dens3r demo` mapped, against the true surface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.progress import following


def cloud(
    folder: Annotated[Path, typer.Argument(help="Where `dens3r demo` left map.ply.")],
    source: Annotated[str, typer.Argument(help="What it played: a sequence with true depth.")],
) -> None:
    """Mean distances from the demo's cloud to the true surface, and from that to the cloud.

    The cloud is brought to metres by the similarity between its trajectory and the true one; both
    surfaces are thinned to a centimetre.
    """
    from dens3r_ros.evaluation.cloud import cloud_errors
    from dens3r_ros.sources.opening import open_source

    with following("evaluate cloud"), plain_errors():
        errors = cloud_errors(folder, open_source(source))
    typer.echo(f"cloud to truth  {errors.accuracy_m:.3f} m")
    typer.echo(f"truth to cloud  {errors.completeness_m:.3f} m")
    typer.echo(f"chamfer         {errors.chamfer_m:.3f} m")
