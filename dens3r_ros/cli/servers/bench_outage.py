# SPDX-License-Identifier: Apache-2.0
"""`dens3r bench outage`: a map whose server goes and comes back."""

from __future__ import annotations

from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import FAILED, plain_errors
from dens3r_ros.cli.common.figures import write_figures
from dens3r_ros.cli.common.files import JsonFile
from dens3r_ros.cli.common.progress import following

USUAL = "procedural:walk?seed=1&frames=300&size=320x240"


def outage(
    sequence: Annotated[
        str, typer.Argument(help="A TUM RGB-D folder, a video with poses, or procedural:...")
    ] = USUAL,
    model: Annotated[str, typer.Option(help="What the server runs.")] = "dens3r-tiny",
    rate: Annotated[float, typer.Option(min=0.5, max=100, help="Images a second.")] = 10.0,
    at: Annotated[float, typer.Option(min=1, help="Seconds until the server is killed.")] = 10.0,
    away: Annotated[
        float, typer.Option(min=0, help="Seconds until it is started again, which takes more.")
    ] = 0.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds a call may take.")] = 2.0,
    fallback: Annotated[
        str,
        typer.Option(help="What helps out on the robot meanwhile, as engine.fallback; '' nothing."),
    ] = "geometric",
    json: JsonFile = None,
) -> None:
    """Map a walk by a server, undisturbed and with the server killed and restarted in its middle.

    \b
    away_s                    from the kill until the server serves again
    without_pose_meanwhile    of frames_meanwhile
    resumed_after_s           from then until the first decoding is used
    ate_ratio                 of the disturbed walk to the undisturbed one, after Sim(3)
    """
    from dens3r_ros.engines.loading import load_remote
    from dens3r_ros.engines.remote.config import RemoteConfig
    from dens3r_ros.engines.serving.own_server import OwnServer, ServerFailed
    from dens3r_ros.evaluation.serving.outage import OutageOptions, measure_outage
    from dens3r_ros.sources import open_source

    with (
        following("bench outage"),
        plain_errors(),
        plain_errors(ServerFailed, code=FAILED),
        OwnServer(["--model", model]) as server,
    ):
        config = RemoteConfig(server.address, timeout=timeout)
        figures = measure_outage(
            open_source(sequence),
            lambda: load_remote(config, fallback),
            server,
            OutageOptions(rate, at, away),
            lambda line: typer.echo(line, err=True),
        )
    write_figures(figures, json)
