# SPDX-License-Identifier: Apache-2.0
"""If these fail, `dens3r bench outage` calls a map unharmed that lost its server, or harmed by what
another one did."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dens3r_ros.engines.protocol import EngineAway
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.evaluation.serving.outage import OutageOptions, measure_outage
from dens3r_ros.sources.source import SourceError

FRAMES, RATE = 100, 20.0


class Served(OracleEngine):
    """The oracle, as long as its server runs."""

    server: Server

    @property
    def trouble(self) -> str:
        return "" if self.server.running else "gone"

    def figures(self) -> dict[str, str]:
        return {}

    def decode(self, pairs, outputs):  # type: ignore[no-untyped-def]
        if not self.server.running:
            raise EngineAway("gone")
        return super().decode(pairs, outputs)


class Server:
    """One that takes a moment to start."""

    def __init__(self) -> None:
        self.running, self.kills = True, 0

    def kill(self) -> None:
        self.running, self.kills = False, self.kills + 1

    def start(self) -> None:
        time.sleep(0.2)
        self.running = True


@pytest.fixture(scope="module")
def stroll(box_room, camera_pose):  # type: ignore[no-untyped-def]
    n = np.arange(FRAMES)
    steps = [camera_pose(0.01 * i, 0.2 * np.sin(0.05 * i), 0.005 * i - 2, 0.3 * i) for i in n]
    return box_room(np.array(steps), (96, 128))


def test_what_an_absence_costs_is_told(stroll) -> None:  # type: ignore[no-untyped-def]
    server = Server()

    def engine() -> Served:
        made = Served(stroll, long_side=96)
        made.server = server
        return made

    figures = measure_outage(stroll, engine, server, OutageOptions(RATE, at=1.0, away=0.4))
    assert server.kills == 1, "the first walk is undisturbed"
    assert figures["away_s"] == pytest.approx(0.6, abs=0.3)
    assert figures["frames_meanwhile"] > 3
    assert figures["resumed_after_s"] >= 0
    assert figures["decodings"] > 0
    assert figures["ate_ratio"] == pytest.approx(
        figures["ate_m"] / figures["ate_undisturbed_m"], rel=1e-6
    )


def test_a_sequence_that_ends_before_the_server_is_back_is_refused(stroll) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SourceError, match="end before the server is back"):
        measure_outage(stroll, lambda: pytest.fail("begun"), Server(), OutageOptions(RATE, 4.0))


def test_a_server_that_does_not_come_back_is_an_error(stroll) -> None:  # type: ignore[no-untyped-def]
    class Broken(Server):
        def start(self) -> None:
            raise RuntimeError("it ended at once")

    server = Broken()

    def engine() -> Served:
        made = Served(stroll, long_side=96)
        made.server = server
        return made

    with pytest.raises(RuntimeError, match="ended at once"):
        measure_outage(stroll, engine, server, OutageOptions(RATE, at=1.0, away=0.1))
