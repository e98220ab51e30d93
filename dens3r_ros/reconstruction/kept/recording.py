# SPDX-License-Identifier: Apache-2.0
"""An engine that notes where its pairs' pixels were found, so that nothing is decoded twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from dens3r_ros.engines.protocol import (
    Engine,
    EngineInfo,
    Features,
    LeavingOut,
    Outputs,
    WindowEngine,
    WindowPrediction,
)
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.tracking.cameras import fit_camera
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.reconstruction.kept.pair_tracks import PairTracks, pair_tracks

Note = Callable[[PairTracks], None]


def recorded(engine: Engine, note: Note) -> Engine:
    """The engine, whose pairs `note` hears of; it answers as it does by itself."""
    if isinstance(engine, WindowEngine):
        return _OfWindows(engine, note)
    return _OfSome(engine, note) if isinstance(engine, LeavingOut) else _OfPairs(engine, note)


class _OfPairs:
    def __init__(self, engine: Engine, note: Note) -> None:
        self._engine, self._note = engine, note
        self.info: EngineInfo = engine.info

    def __getattr__(self, name: str) -> Any:
        """Whatever else the engine can do."""
        return getattr(self._engine, name)

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        return self._engine.encode(frames)

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        prediction = self._engine.decode(pairs, outputs)
        for number, (a, b) in enumerate(pairs):
            found = _landing(prediction, number, a)
            if found is not None and _name(a) != _name(b):
                measured = prediction.pixels_b_in_a is not None
                tracks = pair_tracks(_name(a), _name(b), *found)
                self._note(replace(tracks, measured=measured))
        return prediction


class _OfSome(_OfPairs):
    _engine: LeavingOut

    def left_out(self, features: Features) -> np.ndarray | None:
        return self._engine.left_out(features)


class _OfWindows(_OfPairs):
    _engine: WindowEngine

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        return self._engine.decode_window(features, outputs)


def _name(features: Features) -> tuple[int, str]:
    return features.frame.stamp, features.frame.camera


def _landing(
    prediction: PairPrediction, number: int, a: Features
) -> tuple[np.ndarray, np.ndarray] | None:
    """Where b's pixels lie in a, and how sure that is: as the engine knows, else by where a sees
    the points that are predicted of b."""
    if prediction.pixels_b_in_a is not None and prediction.pixels_confidence is not None:
        pixels = _array(prediction.pixels_b_in_a, number)
        sure = _array(prediction.pixels_confidence, number)
        if prediction.pixels_alike is not None:
            sure = np.where(_array(prediction.pixels_alike, number) > 0, sure, 1)
        return pixels, sure
    points, sure_b = prediction.points_b, prediction.confidence_b
    points_a, sure_a = prediction.points_a, prediction.confidence_a
    if points is None or sure_b is None or points_a is None or sure_a is None:
        return None
    camera: Any = a.intrinsics
    if camera is None:
        camera = fit_camera(_array(points_a, number), _array(sure_a, number))
    if camera is None:
        return None
    seen = _array(points, number)
    depth = np.where(seen[..., 2] > 1e-6, seen[..., 2], np.nan)
    x, y = (seen[..., axis] / depth for axis in (0, 1))
    pixels = np.stack((x * camera.fx + camera.cx, y * camera.fy + camera.cy), -1)
    return pixels, _array(sure_b, number)


def _array(tensor: Tensor, number: int) -> np.ndarray:
    return tensor[number].float().cpu().numpy()
