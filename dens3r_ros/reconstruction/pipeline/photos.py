# SPDX-License-Identifier: Apache-2.0
"""Photos in any order, as a set: where `--mode photos` begins."""

from __future__ import annotations


class PhotosUnavailable(ValueError):
    """Photos in any order cannot be made into a scene."""


def looks_like_photos(names: list[str]) -> bool:
    """Whether inputs are sets of photos rather than images in the order of time: none is yet, since
    only `video` is there to choose."""
    return False


def refuse_photos() -> None:
    """PhotosUnavailable: say what to do instead."""
    raise PhotosUnavailable(
        "photos in any order are not reconstructed yet: name them in the order in which they were"
        " taken and use --mode video, or dens3r evaluate alignment for a few"
    )
