# SPDX-License-Identifier: Apache-2.0
"""If these fail, who drives fast, or comes near to a blurred wall, is tracked against what has gone
from view, and the map bends; or keyframes are made where none is needed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.mapping.config import KeyframeConfig
from dens3r_ros.mapping.keyframes.window import leapt, left
from dens3r_ros.mapping.tracking.matching import weighted_median
from dens3r_ros.mapping.tracking.track import Track


def step(found: SimpleNamespace | None = None, known: bool = True) -> SimpleNamespace:
    frame = SimpleNamespace(intrinsics=np.eye(3) if known else None)
    return SimpleNamespace(found=found, frame=frame, motion=None)


def seen(agreeing: float, degrees: float = 0.2) -> SimpleNamespace:
    covariance = np.diag([1e-4] * 3 + [np.deg2rad(degrees) ** 2 / 3] * 3)
    return SimpleNamespace(
        agreeing=agreeing, covariance=covariance, T_keyframe_frame=np.eye(4), scale=1.0
    )


@pytest.mark.parametrize(
    ("before", "now", "far"), [(0.8, 0.2, True), (0.52, 0.48, False), (0.95, 0.55, False)]
)
def test_the_frame_before_serves_better_once_much_is_gone_at_once(before, now, far) -> None:
    last = step(seen(before))
    assert leapt(seen(now), last, KeyframeConfig()) == far


@pytest.mark.parametrize(("degrees", "far"), [(0.3, False), (2.3, True)])
def test_the_frame_before_serves_better_once_the_direction_becomes_unsure(degrees, far) -> None:
    last = step(seen(0.62))
    assert leapt(seen(0.6, degrees), last, KeyframeConfig()) == far


@pytest.mark.parametrize(("inliers", "gone"), [(0.95, False), (0.65, True)])
def test_what_is_seen_elsewhere_than_it_should_be_is_not_seen(inliers, gone) -> None:
    track = Track(
        np.eye(4), np.eye(4), 1.0, np.eye(6), 0.6, inliers, 0.05, by_engine=None, by_image=None
    )
    assert left(track, KeyframeConfig(), step()) == gone
    assert not left(track, KeyframeConfig(), step(known=False))


def test_without_a_frame_before_nothing_serves_better() -> None:
    assert not leapt(seen(0.1), None, KeyframeConfig())
    assert not leapt(seen(0.1), step(), KeyframeConfig())


def test_half_of_the_weight_lies_on_either_side() -> None:
    values = np.array([3.0, 1.0, 2.0, 10.0])
    assert weighted_median(values, np.array([1.0, 1.0, 1.0, 0.1])) == 2.0
    assert weighted_median(values, np.array([1.0, 1.0, 1.0, 9.0])) == 10.0
