# SPDX-License-Identifier: Apache-2.0
"""What outputs need that may not be installed, told before work begins."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from dens3r_ros.reconstruction.pipeline.options import Options


def missing(options: Options) -> Iterator[str]:
    """A sentence for each thing that was asked for and cannot be made here."""
    asked = options.asked
    if asked.mesh and not _there("open3d"):
        yield "meshes need open3d, which is not installed: pip install 'dens3r_ros[mesh]'"
    if asked.mcap and not _there("rosbags"):
        yield "--mcap needs rosbags, which is not installed: pip install 'dens3r_ros[bags]'"


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
