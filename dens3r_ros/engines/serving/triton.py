# SPDX-License-Identifier: Apache-2.0
"""A Triton server with one model, by `nvidia-pytriton`, which carries Triton itself."""

from __future__ import annotations

import os
import signal
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dens3r_ros.engines.protocol import WarmingEngine
from dens3r_ros.engines.remote.config import SERVED_AS
from dens3r_ros.engines.serving.batches import INPUTS, OUTPUTS, answer_arrays
from dens3r_ros.engines.serving.service import Service

NEEDED = (
    "dens3r serve needs nvidia-pytriton, which wants NumPy 1 and so an environment of its own: run"
    " make server once, or pip install nvidia-pytriton into any environment that has dens3r_ros"
)


@dataclass(frozen=True)
class ServerConfig:
    """How a model is served.

    name       under which clients ask for it
    port       of gRPC; `metrics_port` of Prometheus, 0 for none
    most       calls that Triton gives to the engine at once
    wait_us    microseconds that a call may wait for company
    queue      calls that may wait; more are told that there is no room
    cert_file, key_file  the server's certificate and its key, PEM, for TLS
    client_ca_file  whom clients' certificates must be signed by
    """

    name: str = SERVED_AS
    host: str = "0.0.0.0"
    port: int = 8001
    metrics_port: int = 0
    most: int = 32
    wait_us: int = 2000
    queue: int = 256
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    verbose: bool = False


def serve(service: Service, config: ServerConfig, told: Callable[[str], None]) -> None:
    """Serve until the process is interrupted."""
    find_own_python()
    try:
        from pytriton.triton import Triton
    except ImportError as error:
        raise ImportError(NEEDED) from error
    if isinstance(service.engine, WarmingEngine):
        service.engine.warm_up()
    triton = Triton(config=_triton_config(config))
    for number in (signal.SIGINT, signal.SIGTERM):
        # Supervisors send the latter, and shells let what they start behind ignore the former.
        signal.signal(number, signal.default_int_handler)
    try:
        _bind(triton, service, config)
        triton.run()
        told(f"serving {service.engine.info.model} at port {config.port}; Ctrl-C ends it")
        triton.serve()
    finally:
        triton.stop()
        told(f"decodings by pairs in a batch: {dict(sorted(service.batches.items()))}")


def _bind(triton: Any, service: Service, config: ServerConfig) -> None:
    from pytriton.model_config import DynamicBatcher, ModelConfig, QueuePolicy, Tensor

    def answer(requests: list[Any]) -> list[dict[str, Any]]:
        return answer_arrays(service, [request.data for request in requests])

    batcher = DynamicBatcher(
        max_queue_delay_microseconds=config.wait_us,
        default_queue_policy=QueuePolicy(max_queue_size=config.queue),
    )
    triton.bind(
        model_name=config.name,
        infer_func=answer,
        inputs=[Tensor(name=one, dtype=bytes, shape=(1,)) for one in INPUTS],
        outputs=[Tensor(name=one, dtype=bytes, shape=(1,)) for one in OUTPUTS],
        config=ModelConfig(max_batch_size=config.most, batcher=batcher),
    )


def _triton_config(config: ServerConfig) -> Any:
    from pytriton.triton import TritonConfig

    safe = bool(config.cert_file)
    return TritonConfig(
        grpc_address=config.host,
        grpc_port=config.port,
        allow_http=False,
        allow_metrics=bool(config.metrics_port),
        metrics_port=config.metrics_port or None,
        exit_timeout_secs=2,
        log_verbose=int(config.verbose),
        grpc_use_ssl=safe or None,
        grpc_server_cert=Path(config.cert_file) if safe else None,
        grpc_server_key=Path(config.key_file) if safe else None,
        grpc_use_ssl_mutual=bool(config.client_ca_file) or None,
        grpc_root_cert=Path(config.client_ca_file) if config.client_ca_file else None,
    )


def find_own_python() -> None:
    """Let Triton's Python backend find the libpython of this interpreter, and not one of another
    patch release that the system has."""
    folder = sysconfig.get_config_var("LIBDIR") or ""
    known = os.environ.get("LD_LIBRARY_PATH", "")
    if folder and folder not in known.split(":"):
        os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, (folder, known)))
