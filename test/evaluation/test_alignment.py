# SPDX-License-Identifier: Apache-2.0
"""If these fail, the figures of an alignment are wrong, and nobody sees that the scene is."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.evaluation.alignment import AlignmentOptions, evaluate_alignment
from dens3r_ros.evaluation.oracle.oracle import OracleEngine


def test_disturbed_truth_is_aligned_and_judged(walk) -> None:
    """With true geometry, disturbed by noise, the cameras come out nearly where they were."""
    heard = []
    engine = OracleEngine(walk, long_side=64)
    options = AlignmentOptions(images=4, calibrated=False)
    figures = evaluate_alignment(walk, engine, options, lambda *done: heard.append(done))
    assert (figures.images, figures.pairs) == (4, 12)
    assert heard[-1] == (12, 12)
    assert 0 < figures.ate_m < 0.1 and 0 < figures.rotation_deg < 3
    assert 0 < figures.focal_error < 0.1


def test_a_source_of_one_image_is_refused(box_room, camera_pose) -> None:
    room = box_room(np.array([camera_pose(0, 0, 0)]))
    with pytest.raises(ValueError, match="needs two"):
        evaluate_alignment(room, OracleEngine(room), AlignmentOptions())
