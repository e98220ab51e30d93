# SPDX-License-Identifier: Apache-2.0
"""The graph and its solver: asked at a keyframe, applied a fixed number of frames later."""

from __future__ import annotations

import time
from collections import deque

from dens3r_ros.mapping.config import GraphConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.graph.solver_process import (
    BackgroundSolver,
    ChildSolver,
    InlineSolver,
    SolverError,
    SolverFailed,
)

_DEATHS = 3
_WITHIN_S = 60.0
"""So many deaths within so many seconds are no accident."""


class Backend:
    """Owns the poses of all keyframes; solves beside the tracker without losing repeatability."""

    def __init__(self, metric: bool, config: GraphConfig) -> None:
        self.graph = PoseGraph()
        self.solves = 0
        self._config = config
        self._metric = metric
        self._solver: BackgroundSolver | None = None
        self._due: deque[int] = deque()
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._failure: SolverFailed | None = None
        self._notice = ""

    def prepare(self) -> None:
        """Start the solver's process, which takes a while, before it is needed."""
        if self._solver is None:
            kind = ChildSolver if self._config.child_process else InlineSolver
            self._solver = kind(self._metric)

    def ask(self, frame_number: int) -> None:
        """Begin a solve with everything that is known at this frame."""
        self._check()
        self.prepare()
        assert self._solver is not None
        self._solver.ask(self.graph.take_changes())
        self._due.append(frame_number + self._config.apply_after)

    def apply(self, frame_number: int) -> bool:
        """Take over every solve due by this frame; whether poses changed."""
        self._check()
        changed = False
        while self._due and self._due[0] <= frame_number:
            changed |= self._take(frame_number)
        return changed

    def finish(self) -> bool:
        """Take over every solve that was asked for; whether poses changed."""
        changed = False
        while self._due:
            changed |= self._take(self._due[0])
        return changed

    def take_notice(self) -> str:
        """What has happened to the solver since this was last asked; empty where nothing has."""
        notice, self._notice = self._notice, ""
        return notice

    def close(self) -> None:
        """End the solver's process; poses can still be read."""
        if self._solver is not None:
            self._solver.close()
            self._solver = None
        self._due.clear()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take(self, frame_number: int) -> bool:
        assert self._solver is not None
        try:
            self.graph.move(self._solver.answer())
        except SolverError as error:
            self._begin_again(error, frame_number)
            return False
        self._due.popleft()
        self.solves += 1
        return True

    def _begin_again(self, error: SolverError, frame_number: int) -> None:
        """Another solver, told the graph as it stands; SolverFailed where that keeps dying."""
        self.close()
        self._deaths.append(time.monotonic())
        if len(self._deaths) == _DEATHS and self._deaths[-1] - self._deaths[0] <= _WITHIN_S:
            self._failure = SolverFailed(
                f"the pose graph's solver {error}, for the {_DEATHS}rd time within a minute"
            )
            raise self._failure
        self._notice = (
            f"the pose graph's solver {error}: it is started again with the graph as it stands, "
            "the map is kept"
        )
        self.prepare()
        assert self._solver is not None
        self._solver.ask(self.graph.take_all())
        self._due.append(frame_number + self._config.apply_after)
