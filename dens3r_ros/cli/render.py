# SPDX-License-Identifier: Apache-2.0
"""`dens3r render`: a source of frames as a video with poses and intrinsics beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors
from dens3r_ros.cli.common.files import writable
from dens3r_ros.cli.common.progress import following


def render(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, TUM sequence, or a procedural walk such as "
            "'procedural:loop?seed=7&frames=1800&size=640x480'."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(callback=writable, help="Video to write: .mp4, .mkv or .avi.")
    ],
    rate: Annotated[float, typer.Option(help="Frames a second.", min=1, max=240)] = 30.0,
) -> None:
    """Write frames as a video that `dens3r demo --source` and the simulated camera play."""
    from dens3r_ros.sources import open_source
    from dens3r_ros.sources.video_writer import VideoWriter

    with plain_errors():
        frames = open_source(source)
        with (
            following(f"rendering {frames.name}", len(frames)) as tell,
            VideoWriter(out, rate) as writer,
        ):
            for index in range(len(frames)):
                writer.add(frames[index], frames.truth(index))
                tell(index + 1)
    typer.echo(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB), poses and intrinsics beside it.")
