# SPDX-License-Identifier: Apache-2.0
"""The pose between two photos by clips of the way between them, beside that by the photos alone.

Each clip is asked several times, with other frames of it. A clip that shows one scene says about
the same each time; one that makes things up does not, or says what no other does. The photos alone
are asked as often, each time cut and resized a little otherwise, and judged as a clip is.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.reconstruction.bridging.clips import Clip
from dens3r_ros.reconstruction.bridging.consistency import Guesses, Judged, judged
from dens3r_ros.reconstruction.bridging.posing import Posing

DIRECT = "the photos alone"
_CUT, _SMALLER = 0.08, 0.25
"""Largest share cut off a side, and by which photos are made smaller, from try to try."""
_SAME_SHAPE = 0.01


@dataclass(frozen=True)
class BridgeOptions:
    """How often each clip is asked, with how many of its frames; which these are is drawn by
    `seed`. `lenses_known`: the photos' intrinsics are calibrated."""

    tries: int = 5
    frames: int = 4
    seed: int = 0
    lenses_known: bool = True
    least_confidence: float = 1.5


@dataclass(frozen=True, eq=False)
class Bridged:
    """Clips that gave a pose, best first; the photos alone, None where they give none; clips that
    gave none; whether translations are metres."""

    clips: tuple[Judged, ...]
    direct: Judged | None
    useless: tuple[str, ...]
    metric: bool

    @property
    def best(self) -> Judged | None:
        """What to believe."""
        ways = [*self.clips, *([self.direct] if self.direct else [])]
        return min(ways, key=lambda one: one.score, default=None)


def bridge(
    photos: tuple[Frame, Frame],
    clips: Sequence[Clip],
    engine: Engine,
    options: BridgeOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Bridged:
    """Ask the photos alone and every clip, and judge them all."""
    random = np.random.RandomState(options.seed)
    total = options.tries * (1 + len(clips))
    with tempfile.TemporaryDirectory(prefix="dens3r_bridge_") as folder:
        known = options.lenses_known and photos[0].intrinsics is not None
        posing = Posing(engine, Path(folder), known, options.least_confidence)
        a, b = (posing.add(photo) for photo in photos)
        sets = [_sets(posing, clip, photos[0], options, random) for clip in clips]
        if photos[0].intrinsics is None:
            posing.learn_lenses([(a, b, *numbers) for of_clip in sets for numbers in of_clip[:1]])
        done, ways = 0, []
        for clip, of_clip in zip(clips, sets, strict=True):
            found = []
            for numbers in of_clip:
                found.append(posing.pose(a, b, numbers) if numbers else None)
                done += 1
                progress(done, total)
            ways.append(Guesses(clip.name, [T for T in found if T is not None], options.tries))
        ways.append(_direct(posing, photos, (a, b), options, random))
        progress(total, total)
    found_ways = judged(ways)
    return Bridged(
        tuple(one for one in found_ways if one.name != DIRECT),
        next((one for one in found_ways if one.name == DIRECT), None),
        tuple(way.name for way in ways if not way.poses and way.name != DIRECT),
        engine.info.metric,
    )


def _sets(
    posing: Posing, clip: Clip, photo: Frame, options: BridgeOptions, random: np.random.RandomState
) -> list[list[int]]:
    """Images of a clip for each try, by number: one out of each part of the way."""
    borders = np.linspace(0, len(clip), options.frames + 1)
    drawn = [
        {int(random.uniform(low, high)) for low, high in itertools.pairwise(borders)}
        for _ in range(options.tries)
    ]
    wanted = sorted(set().union(*drawn))
    kept = {
        number: posing.add(_as_photo(frame, photo)) for number, frame in clip.frames(wanted).items()
    }
    return [[kept[number] for number in sorted(one) if number in kept] for one in drawn]


def _as_photo(frame: Frame, photo: Frame) -> Frame:
    """A clip's frame, seen through the photo's lens where it has the photo's shape."""
    lens, (height, width), (rows, columns) = photo.intrinsics, frame.size, photo.size
    if lens is None or abs(width / height * rows / columns - 1) > _SAME_SHAPE:
        return replace(frame, intrinsics=None)
    return replace(frame, intrinsics=lens.resized(width, height))


def _direct(
    posing: Posing,
    photos: tuple[Frame, Frame],
    numbers: tuple[int, int],
    options: BridgeOptions,
    random: np.random.RandomState,
) -> Guesses:
    found = [posing.pose(*numbers)]
    for _ in range(options.tries - 1):
        cut = random.uniform(0, _CUT, 4), 1 - random.uniform(0, _SMALLER)
        a, b = (posing.add(_cut(photo, *cut)) for photo in photos)
        found.append(posing.pose(a, b))
    return Guesses(DIRECT, [T for T in found if T is not None], options.tries)


def _cut(frame: Frame, shares: np.ndarray, shrink: float) -> Frame:
    """A photo without shares of it (left, top, right, bottom), and smaller."""
    height, width = frame.size
    left, top, right, bottom = (shares * [width, height, width, height]).astype(int)
    image = frame.image[top : height - bottom, left : width - right]
    rows, columns = (round(side * shrink) for side in image.shape[:2])
    lens = frame.intrinsics
    if lens is not None:
        lens = lens.cropped(left, top, width - left - right, height - top - bottom)
        lens = lens.resized(columns, rows)
    image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return replace(frame, image=image, intrinsics=lens)
