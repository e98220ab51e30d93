# SPDX-License-Identifier: Apache-2.0
"""A Triton server with one model: the one that `nvidia-pytriton` carries, in a process of its own.

Only Triton itself is taken from there, with its Python backend: pytriton's way of calling Python
passes every call through two more processes, which costs some 5 ms.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.engines.remote.config import SERVED_AS
from dens3r_ros.engines.serving.repository import (
    RepositoryConfig,
    ServedNetwork,
    write_repository,
)

NEEDED = (
    "dens3r serve needs nvidia-pytriton, which wants NumPy 1 and so an environment of its own: run"
    " make server once, or pip install nvidia-pytriton into any environment that has dens3r_ros"
)
_READY = "Started GRPCInferenceService"
_OF_TRITON = re.compile(r"[IWEF]\d{4} [\d:.]+ |[+|]|error: creating server|$")
"""Beginnings of lines that are Triton's own log, and of its tables."""
_NOT_LOADED = re.compile(r"failed to load '.*?' version \d+: \w+: \w+: (.*?)(\\n|\"$|$)")
"""What the model's Python raised, before where it did."""
_LAST_LINES = 200
_ENDING_S = 10.0


@dataclass(frozen=True)
class ServerConfig:
    """How a model is served.

    name       under which clients ask for it
    port       of gRPC; `metrics_port` of Prometheus, 0 for none
    most       calls that Triton gives to the engine at once
    wait_us    microseconds that a call may wait for company; with 0 and two calls on their way some
               waited for half a second with Triton 2.51
    queue      calls that may wait; more are told that there is no room
    cert_file, key_file  the server's certificate and its key, PEM, for TLS
    client_ca_file  whom clients' certificates must be signed by
    """

    name: str = SERVED_AS
    host: str = "0.0.0.0"
    port: int = 8001
    metrics_port: int = 0
    most: int = 32
    wait_us: int = 1000
    queue: int = 256
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    verbose: bool = False


class NotServed(ValueError):
    """Triton did not start, or ended by itself; why is in the text."""


def serve(network: ServedNetwork, config: ServerConfig, told: Callable[[str], None]) -> None:
    """Serve until the process is interrupted. Where the model is a model repository, what that says
    of batches, device and precision holds."""
    if any(Path(network.model or ".").glob("*/config.pbtxt")):
        run_triton(Path(network.model), config, lambda: told(_serving(network, config)), told)
        return
    with tempfile.TemporaryDirectory(prefix="dens3r-serve-") as folder:
        models = Path(folder, "models")
        served = RepositoryConfig(
            config.name, most=config.most, wait_us=config.wait_us, queue=config.queue
        )
        write_repository(models, served, network)
        run_triton(models, config, lambda: told(_serving(network, config)), told)


def _serving(network: ServedNetwork, config: ServerConfig) -> str:
    name = network.model if ":" in network.model else Path(network.model).stem
    return f"serving {name} at port {config.port}; Ctrl-C ends it"


def run_triton(
    models: Path, config: ServerConfig, ready: Callable[[], None], told: Callable[[str], None]
) -> None:
    """Run Triton on a model repository until this process is interrupted; `told` gets what its
    models print, and all of Triton's log where `config.verbose`."""
    _check_port(config)
    package = _package()
    with tempfile.TemporaryDirectory(prefix="dens3r-triton-") as folder:
        backends = _backends(package, Path(folder))
        command = [str(package / "tritonserver" / "bin" / "tritonserver")]
        process = subprocess.Popen(
            [*command, *_arguments(models, backends, config)],
            env=_environment(package),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_end_with_parent,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            # Supervisors send the latter, and shells let what they start behind ignore the former.
            signal.signal(number, signal.default_int_handler)
        try:
            _follow(process, config.verbose, ready, told)
        except KeyboardInterrupt:
            _end(process, told)
        finally:
            process.kill()
            process.wait()


def _follow(
    process: subprocess.Popen[str],
    verbose: bool,
    ready: Callable[[], None],
    told: Callable[[str], None],
) -> None:
    """Until it ends by itself, which is an error."""
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=_LAST_LINES)
    for line in process.stdout:
        line = line.rstrip()
        last.append(line)
        if verbose or not _OF_TRITON.match(line):
            told(line)
        if _READY in line:
            ready()
    raise NotServed(_why(list(last), process.wait()))


def _why(lines: list[str], code: int) -> str:
    for line in lines:
        if found := _NOT_LOADED.search(line):
            return found[1].strip()
    told = [line for line in lines if line.startswith(("E", "error"))] or lines
    return f"Triton ended with exit code {code}: {told[-1] if told else 'it said nothing'}"


def _end(process: subprocess.Popen[str], told: Callable[[str], None]) -> None:
    """Let it end in order, and hear what its models still have to say."""
    assert process.stdout is not None
    process.send_signal(signal.SIGTERM)
    too_long = threading.Timer(_ENDING_S, process.kill)
    too_long.start()
    for line in process.stdout:
        if not _OF_TRITON.match(line):
            told(line.rstrip())
    too_long.cancel()


def _package() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(NEEDED)
    return Path(next(iter(spec.submodule_search_locations)))


def _backends(package: Path, folder: Path) -> Path:
    """Triton's backends with the stub of this Python, which the package keeps apart."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = (
        package / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    )
    if not stub.is_file():
        raise NotServed(
            f"nvidia-pytriton brings no Python backend for Python {version}: make its environment"
            " with another one"
        )
    made = folder / "backends"
    shutil.copytree(package / "tritonserver" / "backends", made)
    shutil.copy(stub, made / "python")
    return made


def _check_port(config: ServerConfig) -> None:
    for port in filter(None, (config.port, config.metrics_port)):
        try:
            socket.create_server((config.host, port)).close()
        except OSError as error:
            raise NotServed(
                f"cannot listen at {config.host}:{port}: {error.strerror}; name another port"
            ) from error


def _arguments(models: Path, backends: Path, config: ServerConfig) -> list[str]:
    given: dict[str, object] = {
        "model-repository": models,
        "backend-directory": backends,
        "grpc-address": config.host,
        "grpc-port": config.port,
        "allow-http": "false",
        "allow-metrics": str(bool(config.metrics_port)).lower(),
        "exit-timeout-secs": 2,
        "log-verbose": int(config.verbose),
    }
    if config.metrics_port:
        given["metrics-port"] = config.metrics_port
    if config.cert_file:
        given |= {"grpc-use-ssl": "true", "grpc-server-cert": config.cert_file}
        given["grpc-server-key"] = config.key_file
    if config.client_ca_file:
        given |= {"grpc-use-ssl-mutual": "true", "grpc-root-cert": config.client_ca_file}
    return [f"--{name}={value}" for name, value in given.items()]


def _environment(package: Path) -> dict[str, str]:
    """Of Triton: its own libraries, and for its Python backend the libpython and the packages of
    this interpreter, not those of another one that the system has."""
    found = dict(os.environ)
    beside = package.parent / "nvidia_pytriton.libs"
    folders = (sysconfig.get_config_var("LIBDIR") or "", str(beside) if beside.is_dir() else "")
    found["LD_LIBRARY_PATH"] = _joined(*folders, found.get("LD_LIBRARY_PATH", ""))
    found["PATH"] = _joined(str(Path(sys.executable).parent), found.get("PATH", ""))
    return found


def _joined(*folders: str) -> str:
    return ":".join(filter(None, folders))


def _end_with_parent() -> None:
    """In the child: be ended when this process is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
