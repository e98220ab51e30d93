# SPDX-License-Identifier: Apache-2.0
"""Frames from folders and benchmark sequences, with what is known to be true of them."""

from dens3r_ros.sources.folder import ImageFolder
from dens3r_ros.sources.opening import open_source
from dens3r_ros.sources.source import Source, SourceError, Truth
from dens3r_ros.sources.tum import TumSequence

__all__ = ["ImageFolder", "Source", "SourceError", "Truth", "TumSequence", "open_source"]
