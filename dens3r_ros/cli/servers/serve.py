# SPDX-License-Identifier: Apache-2.0
"""`dens3r serve`: a network for robots that carry none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop


def serve(
    model: Annotated[
        str,
        typer.Option(
            help="Path, name of `dens3r models list`, export, random:NAME, or a model repository"
            " of `dens3r export --triton`, whose own settings hold."
        ),
    ] = "dens3r-tiny",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of gRPC.")] = 8001,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "0.0.0.0",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")] = "auto",
    max_side: Annotated[
        int, typer.Option(min=0, max=4096, help="Long side of images; 0 as the network wants.")
    ] = 0,
    name: Annotated[
        str, typer.Option(help="Under which it is served: grpc://host:port/NAME of clients.")
    ] = "dens3r",
    cache: Annotated[int, typer.Option(min=1, help="MB of features that are kept.")] = 2000,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Calls answered at once.")] = 32,
    wait: Annotated[
        float, typer.Option(min=0, max=1000, help="Milliseconds a call may wait for company.")
    ] = 1.0,
    queue: Annotated[int, typer.Option(min=1, help="Calls that may wait at most.")] = 256,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of Prometheus metrics; 0 for none.")
    ] = 0,
    tls_cert: Annotated[
        Path | None, typer.Option(exists=True, help="The server's certificate, PEM, for TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(exists=True, help="Its private key, PEM.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(exists=True, help="Who must have signed clients' certificates.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Triton's own log.")] = False,
) -> None:
    """Serve a network by NVIDIA Triton to nodes with engine.name remote.

    Triton comes with nvidia-pytriton: make server puts it into an environment of its own, which
    this command then uses.
    """
    _change_python()
    if bool(tls_cert) != bool(tls_key):
        stop("--tls-cert and --tls-key belong together")
    from dens3r_ros.engines.serving.repository import ServedNetwork
    from dens3r_ros.engines.serving.triton import ServerConfig, serve

    with plain_errors():
        typer.echo(f"loading {model}", err=True)
        found = str(Path(model).absolute()) if Path(model).exists() else model
        network = ServedNetwork(found, device, precision, max_side, cache * 10**6)
        config = ServerConfig(
            name=name,
            host=host,
            port=port,
            metrics_port=metrics_port,
            most=batch,
            wait_us=round(wait * 1000),
            queue=queue,
            cert_file=str(tls_cert or ""),
            key_file=str(tls_key or ""),
            client_ca_file=str(tls_client_ca or ""),
            verbose=verbose,
        )
        serve(network, config, lambda line: typer.echo(line, err=True))


def _change_python() -> None:
    """Go on in the environment that has Triton, where this one has none."""
    from dens3r_ros.engines.serving.environment import environment_for, server_python
    from dens3r_ros.engines.serving.triton import NEEDED

    python = server_python()
    if python is None:
        stop(NEEDED)
    if str(python) != sys.executable:
        arguments = [str(python), "-m", "dens3r_ros.cli", *sys.argv[1:]]
        os.execve(python, arguments, environment_for(python))
