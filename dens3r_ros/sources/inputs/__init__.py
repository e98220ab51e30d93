# SPDX-License-Identifier: Apache-2.0
"""Whatever a person has at hand, as a run of frames: folders, videos, bags, cameras."""

from dens3r_ros.sources.inputs.input import Input, Unreadable, Wanted
from dens3r_ros.sources.inputs.opening import open_input, open_inputs

__all__ = ["Input", "Unreadable", "Wanted", "open_input", "open_inputs"]
