# SPDX-License-Identifier: Apache-2.0
"""The scene that agrees best with all predictions, from a first guess."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

from dens3r_ros.geometry.quaternion import quaternion_from_rotation, rotation_from_quaternion
from dens3r_ros.geometry.sim3 import compose, split
from dens3r_ros.reconstruction.alignment_problem import (
    AlignmentProblem,
    AlignmentState,
    alignment_loss,
)

MEAN_PAIR_SCALE = 0.5
"""Geometric mean of the pairs' scales: fixes the scene's own scale, or it would shrink to nil."""

_LEAST_GAIN = 1e-8
"""Relative decrease of the loss in one step below which the search has arrived."""

_STEPS_REMEMBERED = 20

OnStep = Callable[[int, float], None]


def solve(
    problem: AlignmentProblem,
    start: AlignmentState,
    fixed_focals: Tensor,
    most_steps: int,
    on_step: OnStep | None = None,
) -> AlignmentState:
    """Minimise the loss over all cameras, depths and pair frames at once (L-BFGS).

    `fixed_focals` (N,) marks focal lengths that stay. `on_step` hears of each step's number, from
    1, and loss.
    """
    unknowns = _Unknowns(problem, start, fixed_focals)
    losses: list[float] = []

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        leaf = torch.from_numpy(vector).requires_grad_()
        loss = alignment_loss(problem, unknowns.state(leaf))
        (gradient,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), gradient.numpy()

    def report(intermediate_result: OptimizeResult) -> None:
        losses.append(float(intermediate_result.fun))
        if on_step is not None:
            on_step(len(losses), losses[-1])

    found = minimize(
        evaluate,
        unknowns.start.numpy(),
        method="L-BFGS-B",
        jac=True,
        callback=report,
        options={
            "maxiter": most_steps,
            "maxcor": _STEPS_REMEMBERED,
            "ftol": _LEAST_GAIN,
            "gtol": 0.0,
        },
    )
    with torch.no_grad():
        return unknowns.state(torch.from_numpy(found.x))


class _Unknowns:
    """A scene as one vector without constraints, of entries that weigh about the same."""

    def __init__(
        self, problem: AlignmentProblem, start: AlignmentState, fixed_focals: Tensor
    ) -> None:
        scale, pair_rotation, pair_shift = split(start.T_world_pair)
        grow = MEAN_PAIR_SCALE / scale.log().mean().exp()
        _, rotation, shift = split(start.T_world_camera)
        # One pixel's depth moves the loss by the M-th part of what a pose does.
        self._depth_unit = problem.pixels.shape[-1] ** 0.5
        self._fixed_focals = fixed_focals
        self._start_log_focals = start.focals.double().log()
        blocks = [
            quaternion_from_rotation(rotation),
            shift * grow,
            self._start_log_focals,
            (start.depths.double() * grow).log() / self._depth_unit,
            quaternion_from_rotation(pair_rotation),
            pair_shift * grow,
            scale.log(),
        ]
        self._shapes = [block.shape for block in blocks]
        self.start = torch.cat([block.flatten() for block in blocks])

    def state(self, vector: Tensor) -> AlignmentState:
        sizes = [shape.numel() for shape in self._shapes]
        turn, shift, log_focal, log_depth, pair_turn, pair_shift, log_scale = (
            part.view(shape) for part, shape in zip(vector.split(sizes), self._shapes, strict=True)
        )
        log_focal = torch.where(self._fixed_focals, self._start_log_focals, log_focal)
        scale = MEAN_PAIR_SCALE * (log_scale - log_scale.mean()).exp()
        return AlignmentState(
            compose(1.0, rotation_from_quaternion(turn), shift),
            log_focal.exp(),
            (log_depth * self._depth_unit).float().exp(),
            compose(scale, rotation_from_quaternion(pair_turn), pair_shift),
        )
