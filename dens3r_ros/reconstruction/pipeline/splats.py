# SPDX-License-Identifier: Apache-2.0
"""Where Gaussian splats of a scene are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dens3r_ros.reconstruction.outputs.scene import Scene


class SplatsUnavailable(ValueError):
    """Splats were asked for and cannot be made."""


def write_splats(path: Path, scene: Scene, progress: Callable[[int, int], None]) -> int:
    """Write splats of the scene into a PLY file; how many."""
    raise SplatsUnavailable("this release makes no Gaussian splats yet: leave --splats out")
