# SPDX-License-Identifier: Apache-2.0
"""What may be said to `dens3r map export`, one name for each option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.files import writable

Ply = Annotated[
    Path | None, typer.Option(callback=writable, help="Write a coloured cloud to this file.")
]
Mesh = Annotated[
    Path | None,
    typer.Option(callback=writable, help="Write a mesh to this file (.ply, .obj); needs open3d."),
]
Grid = Annotated[
    Path | None,
    typer.Option(
        callback=writable,
        help="Write a floor plan for nav2_map_server to this .yaml file, and a .pgm beside it.",
    ),
]
Metres = Annotated[
    float | None,
    typer.Option(min=0, help="Metres of the map's unit, where that is a free one; for --grid."),
]
Resolution = Annotated[
    float, typer.Option(min=0.01, max=1, help="Side of the plan's cells, metres.")
]
MinHeight = Annotated[
    float, typer.Option(min=0, max=5, help="Metres above the floor below which nothing counts.")
]
MaxHeight = Annotated[
    float, typer.Option(min=0.05, max=20, help="The same above which nothing counts.")
]
MaxRange = Annotated[
    float, typer.Option(min=0.5, max=100, help="Metres from the camera that the plan believes.")
]
Splats = Annotated[
    Path | None,
    typer.Option(
        callback=writable, help="Write Gaussian splats to this file (.ply, .splat, .spz)."
    ),
]
Optimize = Annotated[
    int,
    typer.Option(min=0, help="Optimise the splats on the keyframes' images for so many steps."),
]
Voxel = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Side of the cubes that one point stands for, in the map's unit; of splats as wide"
        " as a pixel unless given.",
    ),
]
MinConfidence = Annotated[
    float, typer.Option(min=1, help="Points of less confidence are left out; 1 is none.")
]
