# SPDX-License-Identifier: Apache-2.0
"""Motion and correspondence from classical geometry, depth and normals from a network."""

from dens3r_ros.engines.hybrid.engine import HybridConfig, HybridEngine

__all__ = ["HybridConfig", "HybridEngine"]
