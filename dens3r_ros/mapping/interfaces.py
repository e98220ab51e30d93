# SPDX-License-Identifier: Apache-2.0
"""What the mapper asks of the parts that can be swapped: places, archive, levelling."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.archive.stored import Stored
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor
from dens3r_ros.mapping.tracking.keyframe import Keyframe


class PlaceIndex(Protocol):
    """Finds keyframes that look like an image; the same for every engine, deterministic."""

    def add(self, keyframe_id: int, image: np.ndarray) -> None:
        """Remember a keyframe by its (H, W, 3) uint8 RGB image."""
        ...

    def query(self, image: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Up to k (keyframe id, similarity in 0..1) of remembered keyframes, best first."""
        ...

    def alike(self, keyframe_id: int, k: int) -> list[tuple[int, float]]:
        """The same for a remembered keyframe, itself left out."""
        ...

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        ...

    def descriptor(self, keyframe_id: int) -> PlaceDescriptor:
        """What is remembered of a keyframe."""
        ...

    def put(self, keyframe_id: int, descriptor: PlaceDescriptor) -> None:
        """Remember a keyframe by what was remembered of it before."""
        ...


class KeyframeArchive(Protocol):
    """Keeps small what left the window; poses stay with the graph."""

    def __contains__(self, keyframe_id: object) -> bool: ...

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...

    def add(self, keyframe: Keyframe) -> None:
        """Keep a keyframe that leaves the window; replaces an older state of the same one."""
        ...

    def put(self, stored: Stored) -> None:
        """Keep what is already small."""
        ...

    def stored(self, keyframe_id: int) -> Stored:
        """What is kept of a keyframe."""
        ...

    def redundant(self, graph: PoseGraph, kept: Collection[int]) -> list[tuple[int, int]]:
        """Where there are more keyframes than the limit: pairs (leaving, staying) of those that
        see the same, the most alike first; `kept` never leave. Ask again until there are none."""
        ...

    def merge(self, gone: int, into: int, S_into_gone: np.ndarray) -> None:
        """Let one keyframe go; what it saw of the same surfaces, another one takes in."""
        ...

    def revive(self, keyframe_id: int) -> Keyframe:
        """The keyframe with its image encoded again and its maps at the engine's size."""
        ...

    def shown(self, keyframe_id: int) -> Shown:
        """What can be shown of it without encoding."""
        ...

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        ...


class Shown(Protocol):
    """Maps of a keyframe at whatever resolution they are kept; see `KeyframeView`."""

    @property
    def stamp(self) -> int: ...

    @property
    def camera_name(self) -> str: ...

    @property
    def camera(self) -> Intrinsics: ...

    @property
    def points(self) -> np.ndarray: ...

    @property
    def confidence(self) -> np.ndarray: ...

    @property
    def colours(self) -> np.ndarray: ...

    @property
    def revision(self) -> int: ...


class Leveller(Protocol):
    """Says how the first camera stands."""

    def __call__(self, points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, str]:
        """From an (h, w, 3) pointmap with its confidence (h, w): the (3, 3) rotation
        R_level_optical into a z-up frame, and by what it was found: "base", "floor" or "camera".
        """
        ...
