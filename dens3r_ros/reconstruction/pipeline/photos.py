# SPDX-License-Identifier: Apache-2.0
"""Photos in any order, as a set: where `--mode photos` begins."""

from __future__ import annotations


class PhotosUnavailable(ValueError):
    """Photos in any order cannot be made into a scene."""


def refuse_photos() -> None:
    """PhotosUnavailable: say what to do instead."""
    raise PhotosUnavailable(
        "photos in any order are not reconstructed yet: name them in the order in which they were"
        " taken and use --mode video, or dens3r evaluate alignment for a few"
    )
