# SPDX-License-Identifier: Apache-2.0
"""The camera's and the node's processes, and the settings they publish large messages with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dens3r_ros.nodes.starting.middleware import tuned_environment

QUIT_WITHIN_S = 4.0


class Child:
    """A Python module of ours, run as a process of its own with its output in a log file."""

    def __init__(self, module: str, parameters: Mapping[str, object], log: Path) -> None:
        self.module, self.log = module, log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *_ros_arguments(parameters)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=tuned_environment(os.environ),
                # A Ctrl-C in the terminal is ours to pass on, once everything is written.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def stop(self) -> int:
        """Ask it to leave, wait, insist; its exit code."""
        if self.running():
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(QUIT_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def last_lines(self, count: int = 8) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def _ros_arguments(parameters: Mapping[str, object]) -> Sequence[str]:
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        if name == "params_file":
            arguments += ["--params-file", str(value)]
        else:
            arguments += ["-p", f"{name}:={_yaml(value)}"]
    return arguments


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
