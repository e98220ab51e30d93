# SPDX-License-Identifier: Apache-2.0
"""Run the tools that setup needs, keep what they say, and turn failures into paragraphs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from ros_setup.checks import CPU_INDEX, DISK_NEED
from ros_setup.problem import SetupProblem

NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|Connection refused|ReadTimeout|"
    r"ConnectTimeout|Network is unreachable|Max retries|ProxyError|SSLError|Could not fetch URL|"
    r"ConnectionResetError|IncompleteRead|Connection broken|from versions: none",
)
NO_SPACE = re.compile(r"No space left on device|Errno 28")


def run_logged(
    command: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path
) -> None:
    """Run a command, its output going to the log and its last line to a terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=200)
    with open(log, "a") as file:
        file.write(f"$ {' '.join(command)}\n")
        with subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            close_fds=False,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                tail.append(line.rstrip())
                _show(line)
    _show("")
    if process.returncode != 0:
        raise explain(command, process.returncode, list(tail), log)


def _show(line: str) -> None:
    """On a terminal, the line that was last said stands in for a progress bar."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 5
        print(f"\r    {line.strip()[:width]:<{width}}" if line else "\r\033[K", end="", flush=True)


def explain(command: Sequence[str], code: int, tail: Sequence[str], log: Path) -> SetupProblem:
    """What a failed command means to the person who waits for it."""
    text = "\n".join(tail)
    if NO_SPACE.search(text):
        return SetupProblem(
            f"The disk became full. {DISK_NEED}.",
            f"Free some space and run make setup again (it goes on from here), or: {CPU_INDEX}",
        )
    if NETWORK.search(text):
        return SetupProblem(
            f"The package index could not be reached or is incomplete: {_telling(tail, NETWORK)}.",
            "Check the network, or name a mirror with PIP_ARGS='--index-url ...'; then run make "
            "setup again, it goes on from here.",
        )
    if "ensurepip" in text:
        return SetupProblem(
            "This Python cannot make virtual environments: ensurepip is not available.",
            "Debian, Ubuntu: sudo apt install python3-venv; then make setup again.",
        )
    return SetupProblem(
        f"`{' '.join(command)}` ended with code {code}; it said last:\n"
        + "\n".join(f"    {line}" for line in list(tail)[-12:]),
        f"\nAll it said is in {log}. After mending the cause, make setup goes on from here.",
    )


def _telling(tail: Sequence[str], pattern: re.Pattern[str]) -> str:
    line = next(line for line in tail if pattern.search(line))
    return line.strip()[:300]
