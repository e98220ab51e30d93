# SPDX-License-Identifier: Apache-2.0
"""`dens3r render`: a source of frames as a video with poses and intrinsics beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def render(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, TUM sequence, or a procedural walk such as "
            "'procedural:loop?seed=7&frames=1800&size=640x480'."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Video to write: .mp4, .mkv or .avi.")],
    rate: Annotated[float, typer.Option(help="Frames a second.", min=1, max=240)] = 30.0,
) -> None:
    """Write frames as a video that `dens3r demo --source` and the simulated camera play."""
    from rich.progress import track

    from dens3r_ros.sources import SourceError, open_source
    from dens3r_ros.sources.video_writer import VideoWriter

    try:
        frames = open_source(source)
        with VideoWriter(out, rate) as writer:
            for index in track(range(len(frames)), description=f"rendering {frames.name}"):
                writer.add(frames[index], frames.truth(index))
    except SourceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB), poses and intrinsics beside it.")
