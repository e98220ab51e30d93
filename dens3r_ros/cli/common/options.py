# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import stop

EngineName = Annotated[
    str, typer.Option(help="geometric, hybrid, torch, onnx, auto, or module:factory.")
]
JudgedEngine = Annotated[
    str, typer.Option(help="oracle, geometric, hybrid, torch, onnx or module:factory.")
]
"""Where the truth is known, which the oracle tells with errors of its own."""
ModelName = Annotated[
    str, typer.Option(help="Network of torch, onnx or hybrid: a path, or name of `models list`.")
]
MaxSide = Annotated[
    int,
    typer.Option(
        min=0,
        help="Long side to work at, in pixels; 0 is the engine's choice, 512 the oracle's.",
    ),
]
WorkSize = Annotated[
    int,
    typer.Option(
        min=0,
        max=4096,
        help="Long side in pixels to work at; 0 is the model's own, 512 for geometry.",
    ),
]
EveryNth = Annotated[int, typer.Option(min=1, help="Take each N-th frame.")]
Lens = Annotated[
    str,
    typer.Option(
        "--intrinsics",
        "--calibration",
        help="The lens, if known: FX,FY,CX,CY in pixels of the images, or a YAML file as for "
        "`dens3r reconstruct`. Else that of a camera.yaml beside the image or of EXIF.",
    ),
]

GEOMETRIC_SIDE = 512
"""Long side at which geometry matches where nothing else is asked for: phones take far more."""


def work_side(engine: str, size: int) -> int:
    """What `WorkSize` means to an engine of that name; 0 is its own choice."""
    return size or (GEOMETRIC_SIDE if engine in ("geometric", "hybrid") else 0)


def check_model(engine: str, model: str) -> None:
    """The end where a network is named for an engine that has none."""
    if model and engine in ("geometric", "oracle"):
        stop(f"--model {model} is a network, and --engine {engine} uses none: name torch or auto")
