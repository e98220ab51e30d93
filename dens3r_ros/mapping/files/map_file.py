# SPDX-License-Identifier: Apache-2.0
"""A map in one file: a zip of a manifest, the graph, and every keyframe.

Each member's SHA-256 stands in the manifest, the manifest's own in the file's comment. A new file
is written beside the old one, synced, and renamed onto it: whenever writing is cut short, the old
map or the new one is there, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from dens3r_ros.engines.protocol import EngineInfo
from dens3r_ros.mapping.archive.stored import Stored
from dens3r_ros.mapping.graph.graph import Edge, ScalePrior
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.history.records import Records
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor

FORMAT = "dens3r map"
VERSION = 1
MANIFEST = "manifest.json"
GRAPH = "graph.safetensors"


class MapFileError(ValueError):
    """A file that is no whole map of a known version; the message says what was found."""


@dataclass(frozen=True)
class MapInfo:
    """What a map file says of itself."""

    version: int
    engine: str
    model: str
    model_hash: str
    metric: bool
    levelled_by: str
    keyframes: tuple[int, ...]
    frames: int
    edges: int
    loops: int


@dataclass(frozen=True, eq=False)
class SavedKeyframe:
    """One keyframe, and what its place looks like."""

    stored: Stored
    place: PlaceDescriptor


@dataclass(frozen=True, eq=False)
class SavedMap:
    """Everything a map consists of; `poses` are the keyframes' S_map_keyframe."""

    engine: EngineInfo
    metric: bool
    levelled_by: str
    next_id: int
    poses: dict[int, np.ndarray]
    edges: list[Edge]
    records: Records | list[Record]
    keyframes: Iterable[SavedKeyframe]
    priors: Mapping[int, ScalePrior] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LoadedMap:
    """A map as it was read."""

    path: Path
    info: MapInfo
    next_id: int
    poses: dict[int, np.ndarray]
    edges: list[Edge]
    records: list[Record]
    keyframes: list[SavedKeyframe]
    priors: Mapping[int, ScalePrior] = field(default_factory=dict)


def write_map(path: Path, saved: SavedMap) -> int:
    """Write a map; the number of its keyframes. OSError where the file cannot be written.

    What may be replaced is for `map_target` to judge, before and without the keyframes.
    """
    path = path.absolute()
    part = path.with_name(f".{path.name}.part")
    try:
        # What a save that was cut short left; never through a link or into a pipe of that name.
        part.unlink(missing_ok=True)
        with part.open("xb") as file:
            count = _write(file, saved)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return count


def _write(file: Any, saved: SavedMap) -> int:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        sums: dict[str, str] = {}

        def put(name: str, content: bytes) -> None:
            archive.writestr(name, content)
            sums[name] = hashlib.sha256(content).hexdigest()

        described = [_put_keyframe(put, keyframe) for keyframe in saved.keyframes]
        put(GRAPH, save(_graph_arrays(saved)))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "engine": saved.engine.name,
            "model": saved.engine.model,
            "model_hash": saved.engine.model_hash,
            "metric": saved.metric,
            "levelled_by": saved.levelled_by,
            "next_id": saved.next_id,
            "frames": len(saved.records),
            "edges": len(saved.edges),
            "loops": len({frozenset((edge.i, edge.j)) for edge in saved.edges if edge.loop}),
            "cameras": sorted({record.camera for record in saved.records}),
            "keyframes": described,
            "sha256": sums,
        }
        content = json.dumps(manifest, indent=1, default=_plain).encode()
        archive.writestr(MANIFEST, content)
        archive.comment = hashlib.sha256(content).hexdigest().encode()
    return len(described)


def _put_keyframe(put: Callable[[str, bytes], None], keyframe: SavedKeyframe) -> dict[str, Any]:
    stored, place = keyframe.stored, keyframe.place
    arrays = {"depth": stored.depth, "confidence": stored.confidence}
    if stored.moving is not None:
        arrays["moving"] = stored.moving
    arrays |= {"view": place.view, "words": place.words, "corners": place.corners}
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    put(f"keyframes/{stored.id}.safetensors", save(whole))
    put(f"keyframes/{stored.id}.jpg", stored.jpeg)
    return {
        "id": stored.id,
        "stamp": stored.stamp,
        "camera_name": stored.camera_name,
        "placement": asdict(stored.placement),
        "intrinsics": None if stored.intrinsics is None else asdict(stored.intrinsics),
        "camera": asdict(stored.camera),
        "calibrated": stored.calibrated,
        "folds": stored.folds,
        "revision": stored.revision,
    }


def _graph_arrays(saved: SavedMap) -> dict[str, np.ndarray]:
    edges, records = saved.edges, saved.records
    cameras = sorted({record.camera for record in records})
    return {
        "ids": np.array(list(saved.poses), np.int64),
        "poses": np.array(list(saved.poses.values())).reshape(-1, 4, 4),
        "edge_ends": np.array([(e.i, e.j, e.loop) for e in edges], np.int64).reshape(-1, 3),
        "edge_poses": np.array([e.S_i_j for e in edges]).reshape(-1, 4, 4),
        "edge_covariances": np.array([e.covariance for e in edges]).reshape(-1, 7, 7),
        "scale_priors": np.array(
            [(i, prior.scale, prior.sigma) for i, prior in saved.priors.items()]
        ).reshape(-1, 3),
        "frames": np.array(
            [(r.stamp, cameras.index(r.camera), r.keyframe_id, r.epoch) for r in records], np.int64
        ).reshape(-1, 4),
        "frame_poses": np.array([r.T_keyframe_frame for r in records]).reshape(-1, 4, 4),
    }


def _plain(number: np.generic) -> Any:
    return number.item()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
