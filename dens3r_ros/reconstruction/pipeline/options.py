# SPDX-License-Identifier: Apache-2.0
"""What a person may ask of a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dens3r_ros.mapping.config import MapperConfig

Mode = Literal["auto", "video", "photos"]
MODES = ("auto", "video", "photos")
Moving = Literal["off", "attention", "flow", "network"]
MOVING = ("off", "attention", "flow", "network")


@dataclass(frozen=True)
class Picks:
    """Which images of an input are taken.

    every: each N-th; fps: at most so many a second, 0 all; start, end: seconds from the input's
    first image, None to its end.
    """

    every: int = 1
    fps: float = 0.0
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class ReconstructOptions:
    """Which of the outputs that take time or room are wanted.

    mesh_faces: triangles that the mesh is thinned to, 0 none; cloud_voxel: side of the cubes that
    one point of the cloud stands for, in the scene's unit, 0 a share of its depth; splat_steps:
    of optimising the splats on the keyframes' images.
    """

    depth: bool = False
    normals: bool = False
    mesh: bool = False
    splats: bool = False
    mcap: bool = False
    mesh_faces: int = 0
    cloud_voxel: float = 0.0
    splat_steps: int = 0


@dataclass(frozen=True)
class Options:
    """One reconstruction. `live` leaves out all that the node does not do; `resume` goes on with a
    run that was cut short in the same folder; `moving` is how a first pass finds what moves, which
    the second then leaves out."""

    out: Path
    mapper: MapperConfig = field(default_factory=MapperConfig)
    picks: Picks = field(default_factory=Picks)
    asked: ReconstructOptions = field(default_factory=ReconstructOptions)
    mode: Mode = "auto"
    least_confidence: float = 1.5
    live: bool = False
    resume: bool = False
    moving: Moving = "off"
