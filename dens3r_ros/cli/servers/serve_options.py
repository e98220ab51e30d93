# SPDX-License-Identifier: Apache-2.0
"""What may be said to `dens3r serve`, one name for each option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option(
        help="Path, name of `dens3r models list`, export, random:NAME, or a model repository"
        " of `dens3r export --triton`, whose own settings hold."
    ),
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Of gRPC.")]
Host = Annotated[str, typer.Option(help="Address to listen at.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")]
MaxSide = Annotated[
    int, typer.Option(min=0, max=4096, help="Long side of images; 0 as the network wants.")
]
Name = Annotated[
    str, typer.Option(help="Under which it is served: grpc://host:port/NAME of clients.")
]
Cache = Annotated[int, typer.Option(min=1, help="MB of features that are kept.")]
Batch = Annotated[int, typer.Option(min=1, max=256, help="Calls answered at once.")]
Wait = Annotated[
    float, typer.Option(min=0, max=1000, help="Milliseconds a call may wait for company.")
]
Queue = Annotated[int, typer.Option(min=1, help="Calls that may wait at most.")]
MetricsPort = Annotated[
    int, typer.Option(min=0, max=65535, help="Of Prometheus metrics; 0 for none.")
]
TlsCert = Annotated[
    Path | None, typer.Option(exists=True, help="The server's certificate, PEM, for TLS.")
]
TlsKey = Annotated[Path | None, typer.Option(exists=True, help="Its private key, PEM.")]
TlsClientCa = Annotated[
    Path | None, typer.Option(exists=True, help="Who must have signed clients' certificates.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show Triton's own log.")]
