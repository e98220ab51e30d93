# SPDX-License-Identifier: Apache-2.0
"""The keyframes as nerfstudio's `transforms.json`, with the cloud to start from.

Its cameras look along -z with y up, as OpenGL's do.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.reconstruction.outputs.scene import Scene, SceneKeyframe

_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def write_transforms(path: Path, scene: Scene, cloud: Path) -> int:
    """Write the file; how many images it names. Paths in it are relative to it."""
    told = {
        "camera_model": "OPENCV",
        "orientation_override": "none",
        "ply_file_path": os.path.relpath(cloud, path.parent),
        "frames": [_frame(keyframe, path.parent) for keyframe in scene.keyframes],
    }
    path.write_text(json.dumps(told, indent=1) + "\n")
    return len(scene.keyframes)


def _frame(keyframe: SceneKeyframe, folder: Path) -> dict[str, Any]:
    lens = keyframe.intrinsics
    return {
        "file_path": os.path.relpath(keyframe.image, folder),
        "transform_matrix": (keyframe.T_world_camera @ _OPENGL).tolist(),
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx + 0.5,
        "cy": lens.cy + 0.5,
        "w": lens.width,
        "h": lens.height,
    }
