# SPDX-License-Identifier: Apache-2.0
"""If these fail, Ctrl-C leaves tracebacks, orphans or a launch that does not end."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

NODE = "dens3r_ros.nodes.live"
SCRIPTS = Path(__file__).parents[3] / "scripts"
_RNG = random.Random(0)
MOMENTS = sorted(round(_RNG.uniform(0.3, 4.0), 2) for _ in range(5))
"""Seconds after the start, at which both signals are tried."""


@pytest.mark.parametrize("after", MOMENTS)
def test_a_signal_at_any_moment_ends_it_cleanly(start, after: float) -> None:
    processes = {number: start(NODE) for number in (signal.SIGINT, signal.SIGTERM)}
    time.sleep(after)
    for number, process in processes.items():
        code, seconds = process.interrupt(number)
        assert code == 0, process.text()
        assert "Traceback" not in process.text()
        assert seconds < 4.0


@pytest.mark.parametrize("name", ["dens3r_simulated_camera", "dens3r_bag_stepper"])
def test_a_signal_while_modules_are_imported_leaves_no_traceback(name: str) -> None:
    started = subprocess.Popen(
        [sys.executable, str(SCRIPTS / name)], stderr=subprocess.PIPE, text=True
    )
    while not _hears(started.pid, signal.SIGTERM):
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    assert "Traceback" not in started.communicate(timeout=30)[1]


def _hears(pid: int, number: int) -> bool:
    """Whether the process has installed a handler; of SIGTERM, Python has none by itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_a_model_that_is_not_there_is_one_sentence(start) -> None:
    process = start(NODE, "-p", "engine.name:=torch", "-p", "engine.model:=/no/such/model.pth")
    assert process.popen.wait(60) == 1
    assert "/no/such/model.pth" in process.text()
    assert "Traceback" not in process.text()


def test_an_impossible_parameter_is_one_sentence(start) -> None:
    process = start(NODE, "-p", "input.policy:=newest", "-p", "output.max_rnage:=2.0")
    assert process.popen.wait(60) == 1
    text = process.text()
    assert "latest, every" in text and "output.max_range" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("-p input.queue_size:=many", "expecting type 'INTEGER'"),
        ("-p input.queue_size:=0", "Min: 1, Max: 10000"),
        ("--params-file /no/such.yaml", "/no/such.yaml"),
    ],
)
def test_what_ros_refuses_is_one_sentence(start, argument: str, told: str) -> None:
    process = start(NODE, *argument.split(), "-p", "output.map_rate:=2")
    assert process.popen.wait(60) == 1
    assert told in process.text() and "output.map_rate" not in process.text()
    assert "Traceback" not in process.text()
