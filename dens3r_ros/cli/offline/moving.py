# SPDX-License-Identifier: Apache-2.0
"""The option of what becomes of things that move."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dens3r_ros.engines.protocol import Engine
    from dens3r_ros.reconstruction.pipeline.options import Options
    from dens3r_ros.sources.inputs import Input

Moving = Annotated[
    str,
    typer.Option(
        help="Leave out what moves, found in a first pass over the images: by attention (Easi3R's "
        "way, for networks of the DUSt3R layout, whose second pass does not look at it either), by "
        "flow (MonST3R's formula, for any engine), by the network itself (DAS3R), or off. Takes "
        "several times as long."
    ),
]


def with_moving(options: Options, moving: Any, engine: Engine, inputs: list[Input]) -> Options:
    """The options with what was asked for, if the engine and the inputs can do it."""
    from dens3r_ros.reconstruction.pipeline.moving import check_moving

    found = replace(options, moving=moving)
    check_moving(found, engine, inputs)
    return found
