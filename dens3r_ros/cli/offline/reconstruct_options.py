# SPDX-License-Identifier: Apache-2.0
"""What may be said to `dens3r reconstruct`, one name for each option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.files import writable_folder

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Folder of images, video, rosbag2 (folder, .mcap, .db3), TUM or EuRoC sequence, "
        "number of a camera, rtsp:// address. Several are read one after the other.",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the results.", callback=writable_folder)]
Engine = Annotated[
    str, typer.Option(help="auto, torch, onnx, geometric, hybrid, or module:factory.")
]
Model = Annotated[str, typer.Option(help="Name or path of a model, for networks.")]
Every = Annotated[int, typer.Option(min=1, help="Take each N-th image.")]
Fps = Annotated[
    float,
    typer.Option(
        min=0, help="Take at most so many images a second; of a folder, how many were taken."
    ),
]
Start = Annotated[float, typer.Option(min=0, help="Seconds to skip at the beginning.")]
End = Annotated[
    float | None, typer.Option(min=0, help="Seconds from the beginning at which to end.")
]
Intrinsics = Annotated[
    str,
    typer.Option(
        help="The lens, if known: FX,FY,CX,CY in pixels of the images, or a YAML file: fx, fy, "
        "cx, cy, or a calibration as ROS's camera_calibration writes it (distortion is undone)."
    ),
]
Topic = Annotated[str, typer.Option(help="Image topic, of a bag with several cameras.")]
Config = Annotated[Path | None, typer.Option(help="Parameters of the node, as for `dens3r demo`.")]
Mode = Annotated[
    str,
    typer.Option(
        help="video: images in their order; photos: in any order; auto: by what they look like."
    ),
]
Live = Annotated[
    bool, typer.Option("--live", help="Only what the node does: leave refinement out.")
]
SaveDepth = Annotated[
    bool, typer.Option("--save-depth", help="Write every frame's depth: 16-bit PNG and .npz.")
]
SaveNormals = Annotated[
    bool, typer.Option("--save-normals", help="Write every frame's normals as PNG.")
]
Mesh = Annotated[
    bool, typer.Option("--mesh", help="Write a mesh, mesh.ply and mesh.glb; needs open3d.")
]
MeshFaces = Annotated[
    int, typer.Option(min=0, help="Thin the mesh to about so many triangles; 0 does not.")
]
Mcap = Annotated[
    bool, typer.Option("--mcap", help="Write the node's topics and TF as a bag, result.mcap.")
]
Splats = Annotated[bool, typer.Option("--splats", help="Write Gaussian splats, splats.ply.")]
Optimize = Annotated[
    int,
    typer.Option(min=0, help="Optimise the splats on the keyframes' images for so many steps."),
]
Voxel = Annotated[
    float,
    typer.Option(
        min=0, help="Side of the cubes that one point of the cloud stands for; 0 is fine."
    ),
]
Viewer = Annotated[
    str,
    typer.Option(
        help="rerun shows the run as it goes; a name that ends in .rrd writes it to that file."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut short.")]
