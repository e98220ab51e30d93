# SPDX-License-Identifier: Apache-2.0
"""An engine without weights: flow, relative pose and triangulation of two views."""

from dens3r_ros.engines.geometric.engine import GeometricConfig, GeometricEngine

__all__ = ["GeometricConfig", "GeometricEngine"]
