# SPDX-License-Identifier: Apache-2.0
"""The graph and its solver: asked at a keyframe, applied a fixed number of frames later."""

from __future__ import annotations

from collections import deque

from dens3r_ros.mapping.config import GraphConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.graph.solver_process import BackgroundSolver, ChildSolver, InlineSolver


class Backend:
    """Owns the poses of all keyframes; solves beside the tracker without losing repeatability."""

    def __init__(self, metric: bool, config: GraphConfig) -> None:
        self.graph = PoseGraph()
        self.solves = 0
        self._config = config
        self._metric = metric
        self._solver: BackgroundSolver | None = None
        self._due: deque[int] = deque()

    def prepare(self) -> None:
        """Start the solver's process, which takes a while, before it is needed."""
        if self._solver is None:
            kind = ChildSolver if self._config.child_process else InlineSolver
            self._solver = kind(self._metric)

    def ask(self, frame_number: int) -> None:
        """Begin a solve with everything that is known at this frame."""
        self.prepare()
        assert self._solver is not None
        self._solver.ask(self.graph.take_changes())
        self._due.append(frame_number + self._config.apply_after)

    def apply(self, frame_number: int) -> bool:
        """Take over every solve due by this frame; whether poses changed."""
        changed = False
        while self._due and self._due[0] <= frame_number:
            self._take()
            changed = True
        return changed

    def finish(self) -> bool:
        """Take over every solve that was asked for; whether poses changed."""
        changed = bool(self._due)
        while self._due:
            self._take()
        return changed

    def close(self) -> None:
        """End the solver's process; poses can still be read."""
        if self._solver is not None:
            self._solver.close()
            self._solver = None
        self._due.clear()

    def _take(self) -> None:
        assert self._solver is not None
        self._due.popleft()
        self.graph.move(self._solver.answer())
        self.solves += 1
