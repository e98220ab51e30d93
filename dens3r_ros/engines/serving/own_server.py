# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own on this machine, for measuring and for trying things out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

_STARTING_S = 180.0
_ENDING_S = 10.0


class ServerFailed(RuntimeError):
    """The server did not start; what it said last is in the text."""


class OwnServer:
    """`dens3r serve` with these arguments, at a port that was free."""

    def __init__(self, arguments: Sequence[str] = (), port: int = 0) -> None:
        self.port = port or free_port()
        self._arguments = list(arguments)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """For clients on this machine."""
        return f"grpc://127.0.0.1:{self.port}"

    def start(self) -> OwnServer:
        """Start it, and wait until it serves."""
        from dens3r_ros.engines.serving.environment import environment_for, server_python
        from dens3r_ros.engines.serving.triton import NEEDED

        python = server_python()
        if python is None:
            raise ServerFailed(NEEDED)
        self._log.seek(0)
        self._log.truncate()  # what one before it said is no news of this one
        command = [str(python), "-m", "dens3r_ros.cli", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", *self._arguments],
            env=environment_for(python),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:  # Ctrl-C too: its own session hears nothing of that
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """End it without warning, with all its children, as a power cut would."""
        if self._process is not None:
            _signal_group(self._process, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Let it end by itself, and see that it does."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_S)
        self.kill()

    def said(self) -> str:
        """The last lines of what it wrote."""
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-8:])

    def __enter__(self) -> OwnServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _STARTING_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise ServerFailed(f"the server ended at once: {self.said()}")
            if "serving " in self.said():
                return
            time.sleep(0.1)
        raise ServerFailed(f"the server did not start within {_STARTING_S:.0f} s: {self.said()}")


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
