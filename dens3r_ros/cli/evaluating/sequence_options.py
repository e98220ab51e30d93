# SPDX-License-Identifier: Apache-2.0
"""What may be said to `dens3r evaluate sequences`, one name for each option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.files import writable_folder

Sequence = Annotated[
    list[str],
    typer.Argument(help="Folders in the TUM RGB-D layout, videos with poses, procedural:..."),
]
Engine = Annotated[
    str,
    typer.Option(help="oracle, window-oracle, geometric, hybrid, torch, onnx, or module:factory."),
]
Model = Annotated[str, typer.Option(help="Model of the torch and onnx engines.")]
Network = Annotated[
    str,
    typer.Option(
        help="Network of the hybrid engine: oracle (each image in a unit of its own),"
        " oracle-metric, or a model by name or path."
    ),
]
Calibrated = Annotated[bool, typer.Option(help="Give the mapper the intrinsics.")]
Metric = Annotated[bool, typer.Option(help="The oracle knows metres.")]
Seed = Annotated[int, typer.Option(help="First seed of the oracle's noise.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs, each with the next seed.")]
EngineSize = Annotated[
    int,
    typer.Option(min=0, help="Long side that a network sees; 0 is --max-side, or its own."),
]
Views = Annotated[
    int,
    typer.Option(
        min=0,
        max=30,
        help="Keyframes that an engine of many views sees beside a frame and its keyframe.",
    ),
]
Chained = Annotated[
    bool, typer.Option(help="Also chain the poses of neighbouring pairs, for comparison.")
]
Fusion = Annotated[bool, typer.Option(help="Fuse predictions; off keeps only the latest one.")]
Loops = Annotated[bool, typer.Option(help="Close loops.")]
DecodeEvery = Annotated[
    int, typer.Option(min=1, help="Decode one frame in so many at most; track the others.")
]
DecodeLag = Annotated[int, typer.Option(min=1, help="Frames until a decoding is taken over.")]
CameraHeight = Annotated[
    float,
    typer.Option(min=0, help="Metres of the camera above the floor, which tell the scale."),
]
Plots = Annotated[
    Path | None,
    typer.Option(callback=writable_folder, help="Write pictures into this folder."),
]
Grid = Annotated[
    bool, typer.Option(help="Compare the floor plan; of procedural walks in the hall.")
]
