# SPDX-License-Identifier: Apache-2.0
"""`dens3r bench splats`: what drawing costs on the CPU."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.progress import following
from dens3r_ros.cli.common.size import ImageSize, Size

USUAL = Size(320, 240)


def splats(
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many.")] = 50_000,
    pixels: Annotated[
        float, typer.Option(min=0.1, max=100, help="Deviation of each in the image.")
    ] = 2.0,
    size: ImageSize = USUAL,
    rounds: Annotated[int, typer.Option(min=1, help="Medians are told.")] = 5,
    json: JsonFile = None,
) -> None:
    """Time drawing splats that are scattered all over the view, without CUDA.

    \b
    forward_ms               an image
    forward_and_backward_ms  an image, and what every number of every splat did to it
    matrix_product_ms        of 1024x1024 numbers, for comparing machines
    """
    from dens3r_ros.geometry.camera import Intrinsics
    from dens3r_ros.splats.drawing.timing import time_drawing

    width, height = size.width, size.height
    camera = Intrinsics(width, width, (width - 1) / 2, (height - 1) / 2, width, height)
    with following("bench splats"):
        figures = time_drawing(count, camera, pixels, rounds)
    write_figures(dict(figures), json)
