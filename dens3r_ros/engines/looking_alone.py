# SPDX-License-Identifier: Apache-2.0
"""An engine of pairs as a network of single images: it looks at the pair of an image and itself."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.monocular import MonocularInfo, MonocularPrediction
from dens3r_ros.engines.preprocess import upright
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import intrinsics_from_points

_UNIT_ERROR = 0.07
"""Relative error of depth whose confidence is 2; what exceeds 1 weighs as inverse variance."""
_ERRORS = (0.04, 0.5)
_METRIC_ERROR = 0.05
"""What such engines' scale errs by in one image, if they speak of metres; none says."""


class LookingAlone:
    """Any engine that gives depth of the pair (a, a)."""

    def __init__(self, engine: Engine) -> None:
        told = engine.info
        if not told.monocular:
            raise ValueError(
                f"engine {told.name} ({told.model}) gives no depth of a single image, which the "
                "hybrid engine needs of its network"
            )
        self._engine = engine
        self.info = MonocularInfo(
            name=told.name,
            model=told.model,
            model_hash=told.model_hash,
            metric=told.metric,
            scale_error=_METRIC_ERROR,
            normals=told.normals,
            device=told.device,
        )

    def predict(self, frame: Frame) -> MonocularPrediction:
        """What the engine shows of the image beside itself."""
        features = self._engine.encode([frame])[0]
        outputs = Outputs("a", "a" if self.info.normals else "", "")
        found = self._engine.decode([(features, features)], outputs)
        assert found.points_a is not None and found.confidence_a is not None
        points, confidence = _array(found.points_a), _array(found.confidence_a)
        return MonocularPrediction(
            points[..., 2],
            np.where(points[..., 2] > 0, _error(confidence), np.inf).astype(np.float32),
            None if found.normals_a is None else _array(found.normals_a),
            features.intrinsics or _camera(points),
            upright(features.placement),
        )


def _array(maps: Tensor) -> np.ndarray:
    return maps[0].float().cpu().numpy()


def _error(confidence: np.ndarray) -> np.ndarray:
    expected = _UNIT_ERROR / np.sqrt(np.maximum(confidence - 1, 1e-6))
    return np.where(confidence > 1, expected.clip(*_ERRORS), np.inf)


def _camera(points: np.ndarray) -> Intrinsics | None:
    camera = intrinsics_from_points(torch.from_numpy(points))
    return camera if np.isfinite(camera.fx) else None
