# SPDX-License-Identifier: Apache-2.0
"""Real processes over real DDS, each test module in a domain of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dds_domain import domain_for

from dens3r_ros.nodes.starting.middleware import tuned_environment


class Process:
    """A module of ours as a process; its output is in a file."""

    def __init__(self, module: str, log: Path, *arguments: str) -> None:
        self.log = log
        self._output = log.open("w")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module, "--ros-args", *arguments],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def interrupt(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """(exit code, seconds it took to leave)."""
        began = time.monotonic()
        self.popen.send_signal(number)
        try:
            code = self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return code, time.monotonic() - began

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self._output.close()


def _environment() -> dict[str, str]:
    """With the engines of the tests where the node finds them."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return tuned_environment(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture(scope="module", autouse=True)
def domain(request: pytest.FixtureRequest) -> Iterator[int]:
    """A DDS domain of the module's own."""
    number = domain_for(request.module.__name__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        for name, value in tuned_environment(os.environ).items():
            patch.setenv(name, value)
        yield number


Start = Callable[..., Process]


@contextmanager
def _starter(folder: Path) -> Iterator[Start]:
    started: list[Process] = []

    def run(module: str, *arguments: str) -> Process:
        process = Process(module, folder / f"{len(started)}.log", *arguments)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes; what still runs at the end of the test is killed."""
    with _starter(tmp_path) as run:
        yield run


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory, domain: int) -> Iterator[Start]:
    """The same, for processes that all tests of a module share."""
    with _starter(tmp_path_factory.mktemp("shared")) as run:
        yield run


@pytest.fixture
def peer(domain: int) -> Iterator[Any]:
    """The other side of DDS, for one test."""
    with _peer() as made:
        yield made


@pytest.fixture(scope="module")
def shared_peer(domain: int) -> Iterator[Any]:
    """The same, for all tests of a module."""
    with _peer() as made:
        yield made


@contextmanager
def _peer() -> Iterator[Any]:
    from peer import Peer

    made = Peer()
    try:
        yield made
    finally:
        made.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One more try for tests over DDS: processes that a busy machine starves miss each other.

    A fault of ours shows twice. Needs pytest-rerunfailures, which colcon brings; without it each
    test has its one try.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))
