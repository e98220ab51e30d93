# SPDX-License-Identifier: Apache-2.0
"""Where these fail, a map is begun on people who walk past, and all that follows is wrong; or never
begins though nobody moves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from dens3r_ros.mapping.keyframes.proving import Proving

DEPTH = np.tile(np.linspace(2, 4, 32, dtype=np.float32), (24, 1))
TENTH = 100_000_000


def _keyframe() -> SimpleNamespace:
    points = np.dstack([np.zeros_like(DEPTH)] * 2 + [DEPTH])
    return SimpleNamespace(
        canonical=SimpleNamespace(points=points, weight=np.full((24, 32), 2.0, np.float32), folds=1)
    )


def _seen(depth: np.ndarray, scale: float) -> SimpleNamespace:
    points = np.dstack([np.zeros_like(DEPTH)] * 2 + [depth / scale])
    return SimpleNamespace(keyframe_points=points, keyframe_confidence=np.full((24, 32), 3.0))


def _found(inliers: float, scale: float | None, matched: float = 0.9) -> SimpleNamespace:
    return SimpleNamespace(inliers=inliers, matched=matched, scale=scale, T_keyframe_pair=np.eye(4))


def _asked(*answers: tuple[SimpleNamespace, SimpleNamespace]) -> list[bool | None]:
    proving = Proving(_keyframe(), 0)
    return [proving.ask(*one, (i + 1) * TENTH) for i, one in enumerate(answers)]


def test_what_later_images_tell_too_stands_still() -> None:
    same = _seen(DEPTH, 2.0), _found(0.95, 2.0)
    assert _asked(same, same) == [None, True]


def test_other_depths_from_farther_away_speak_against_it() -> None:
    other = _seen(DEPTH[:, ::-1].copy(), 2.0), _found(0.95, 2.0)
    assert _asked(other, other) == [None, False]


def test_matches_that_agree_on_no_one_place_speak_against_it_at_once() -> None:
    assert _asked((_seen(DEPTH, 2.0), _found(0.6, 2.0))) == [False]
    assert Proving(_keyframe(), 0).ask(_seen(DEPTH, 2.0), "lost", TENTH) is False


def test_images_that_show_little_of_it_have_no_say() -> None:
    little = _seen(DEPTH[:, ::-1].copy(), 2.0), _found(0.6, 2.0, matched=0.1)
    without = _seen(DEPTH[:, ::-1].copy(), 2.0), _found(0.95, None)
    assert _asked(little, without) == [None, True]
