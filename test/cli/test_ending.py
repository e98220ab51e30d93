# SPDX-License-Identifier: Apache-2.0
"""If this fails, what a supervisor ends leaves servers, cameras and half-written files behind."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import time
import dens3r_ros.cli.main as commands
from dens3r_ros.cli.__main__ import main

def work():
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        print("put away", flush=True)

commands.app = work
main()
"""


def test_a_terminated_command_puts_its_things_away_as_an_interrupted_one_does() -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "working\n"
    command.send_signal(signal.SIGTERM)
    assert "put away" in command.communicate(timeout=30)[0]
