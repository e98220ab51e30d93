# SPDX-License-Identifier: Apache-2.0
"""Photos in no order of a procedural hall, as a source with exact truth."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.scenes.photo_walk import photo_walk
from dens3r_ros.scenes.walk import WalkFrame
from dens3r_ros.sources.source import SourceError, Truth

PHOTOS = "procedural:photos"
_SECOND_NS = 1_000_000_000
_USAGE = f"Expected {PHOTOS}?seed=S&count=N&size=WxH, as in {PHOTOS}?seed=3&count=60&size=320x240."


class ProceduralPhotos:
    """The collection that a text such as "procedural:photos?seed=3&count=60" names.

    Each photo is a camera with a name of its own and intrinsics, its stamp is its number in
    seconds. Photos of other places stand far away in truth.
    """

    def __init__(self, text: str) -> None:
        self.name = text
        try:
            self.photos = photo_walk(**_parsed(text))
        except ValueError as error:
            raise SourceError(f"{text}: {error}. {_USAGE}") from error
        self._rendered = lru_cache(maxsize=2)(self.photos.render)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Frame:
        """The photo at `index`."""
        index = range(len(self))[index]
        image, lens = self._seen(index).image, self.photos.cameras[index]
        return Frame(image, self.stamp(index), f"photo{index:04d}", lens)

    def stamp(self, index: int) -> int:
        """That of the photo at `index`, nanoseconds."""
        return index * _SECOND_NS

    def truth(self, index: int) -> Truth:
        """Exact depth (NaN for sky), pose and normals of the photo at `index`."""
        seen = self._seen(range(len(self))[index])
        depth = np.where(seen.depth > 0.0, seen.depth, np.float32(np.nan))
        return Truth(depth, seen.T_world_camera, seen.normals)

    def _seen(self, index: int) -> WalkFrame:
        return self._rendered(index)


def _parsed(text: str) -> dict[str, int]:
    _, _, query = text.partition("?")
    found: dict[str, int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)):
        if key in ("seed", "count"):
            found[key] = int(value)
        elif key == "size":
            width, separator, height = value.partition("x")
            if not separator:
                raise ValueError(f"size={value} is not WIDTHxHEIGHT")
            found["width"], found["height"] = int(width), int(height)
        else:
            raise ValueError(f"there is no option {key!r}")
    return found
