# SPDX-License-Identifier: Apache-2.0
"""The floor plan of a map against what stands in the hall that it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dens3r_ros.evaluation.metrics.floor_plan import agreement, true_plan
from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.occupancy.occupancy import FloorPlan
from dens3r_ros.mapping.occupancy.scan import GridConfig
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.scenes.worlds.building import Building


def plan_figures(
    keyframes: Sequence[KeyframeView], hall: Building, S_world_map: np.ndarray, confidence: float
) -> dict[str, object]:
    """Of the node's plan, the map laid on the truth by the similarity that fits its path; nothing
    but the reason where no floor was found."""
    config = GridConfig()
    placed = [
        replace(view, T_map_camera=_laid(S_world_map, view.T_map_camera)) for view in keyframes
    ]
    plan = FloorPlan(config).draw(placed, scale_of(S_world_map), confidence)
    if plan is None:
        return {"grid_missing": "no keyframe tells where the floor is"}
    truth = true_plan(hall, config.resolution, config.min_height, config.max_height)
    found = agreement(plan, truth)
    return {
        "grid_free_iou": found.free,
        "grid_occupied_iou": found.occupied,
        "grid_free_in_walls": found.inside,
        "grid_known": found.known,
    }


def _laid(S_world_map: np.ndarray, T_map_camera: np.ndarray) -> np.ndarray:
    """T_world_camera (4, 4), lengths in the map's unit still."""
    T = rigid(S_world_map @ T_map_camera)
    T[:3, 3] /= scale_of(S_world_map)
    return T
