# SPDX-License-Identifier: Apache-2.0
"""`dens3r serve`: a network for robots that carry none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from dens3r_ros.cli.common.errors import plain_errors, stop
from dens3r_ros.cli.servers import serve_options as given


def serve(
    model: given.Model = "dens3r-tiny",
    port: given.Port = 8001,
    host: given.Host = "0.0.0.0",
    device: given.Device = "auto",
    precision: given.Precision = "auto",
    max_side: given.MaxSide = 0,
    name: given.Name = "dens3r",
    cache: given.Cache = 2000,
    batch: given.Batch = 32,
    wait: given.Wait = 1.0,
    queue: given.Queue = 256,
    metrics_port: given.MetricsPort = 0,
    tls_cert: given.TlsCert = None,
    tls_key: given.TlsKey = None,
    tls_client_ca: given.TlsClientCa = None,
    verbose: given.Verbose = False,
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
