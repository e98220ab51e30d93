# SPDX-License-Identifier: Apache-2.0
"""Image messages to pixels, as `sources.messages` does it for bags too."""

from __future__ import annotations

from dens3r_ros.sources.messages.images import (
    ENCODINGS,
    Encoding,
    RejectedImage,
    rgb_from_compressed,
    rgb_from_image,
)

__all__ = ["ENCODINGS", "Encoding", "RejectedImage", "rgb_from_compressed", "rgb_from_image"]
