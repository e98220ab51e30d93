# SPDX-License-Identifier: Apache-2.0
"""Global alignment of pointmaps (`align_*.npz`): the loss, and errors no larger than published."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from dens3r_ros.evaluation.parity.algorithms.alignment_errors import alignment_errors
from dens3r_ros.evaluation.parity.comparison import Comparison, at_most, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pair_scene import DirectedPair
from dens3r_ros.geometry.quaternion import rotation_from_quaternion
from dens3r_ros.geometry.sim3 import compose
from dens3r_ros.reconstruction.alignment_problem import (
    AlignmentProblem,
    AlignmentState,
    alignment_loss,
    problem_from_pairs,
)
from dens3r_ros.reconstruction.global_alignment import align_globally

NAME = "global alignment"
_LOSS_TOLERANCE = 1e-5
# The published optimiser stops after a fixed number of steps, short of the minimum.
_FINAL_LOSS_SHARE = 1.02


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds edges, and the states of the published optimiser."""
    wanted = {"edges", "pts1", "pts2", "gt_poses", "init_pw_poses_param", "final_loss"}
    return wanted <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """The loss at both stored states; what our own alignment of the same pairs comes to."""
    problem = problem_of(fixture)
    for stage in ("init", "final"):
        loss = alignment_loss(problem, stored_state(fixture, stage))
        published = fixture.array(f"{stage}_loss")
        yield of_scale("", f"{stage}_loss", float(loss), published, _LOSS_TOLERANCE)
    found = align_globally(pairs_of(fixture))
    final = float(fixture.array("final_loss"))
    yield at_most("", "own final loss", found.loss, _FINAL_LOSS_SHARE * final)
    focals = torch.tensor([camera.fx for camera in found.intrinsics])
    ours = alignment_errors(found.T_world_camera, focals, torch.stack(found.depths), fixture)
    limits = published_errors(fixture)
    for name, error in ours.items():
        yield at_most("", f"own {name}", error, limits[name])


def pairs_of(fixture: Fixture) -> dict[tuple[int, int], DirectedPair]:
    """The predictions that are aligned, by the images of each directed edge."""
    maps = [fixture.tensor(key) for key in ("pts1", "pts2", "conf1", "conf2")]
    return {
        (int(a), int(b)): DirectedPair(*(values[edge] for values in maps))
        for edge, (a, b) in enumerate(fixture.array("edges"))
    }


def problem_of(fixture: Fixture) -> AlignmentProblem:
    """The problem over every pixel, as the published optimiser had it."""
    count, height, width = fixture.array("gt_depth").shape
    cameras = [Intrinsics(1.0, 1.0, width / 2, height / 2, width, height)] * count
    return problem_from_pairs(pairs_of(fixture), cameras, [torch.arange(height * width)] * count)


def stored_state(fixture: Fixture, stage: str) -> AlignmentState:
    """Where the published optimiser stood: `init` or `final`."""
    raw = fixture.tensor(f"{stage}_pw_poses_param").double()
    scale = fixture.tensor(f"{stage}_pw_scale").double()
    shift = raw[:, 4:7].sign() * raw[:, 4:7].abs().expm1() * scale[:, None]
    return AlignmentState(
        fixture.tensor(f"{stage}_poses"),
        fixture.tensor(f"{stage}_focals"),
        fixture.tensor(f"{stage}_depth").flatten(1),
        compose(scale, rotation_from_quaternion(raw[:, :4]), shift),
    )


def published_errors(fixture: Fixture) -> dict[str, float]:
    """What the published optimiser came to, by the names of `alignment_errors`."""
    stated = fixture.config["errors"]["final_"]
    focal_off = np.abs(stated["focal_rel_err"])
    return stated | {"focal_mean": float(focal_off.mean()), "focal_max": float(focal_off.max())}
