# SPDX-License-Identifier: Apache-2.0
"""Reading map files, and saying what is wrong with those that cannot be read."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.archive.stored import Stored
from dens3r_ros.mapping.files.map_file import (
    FORMAT,
    GRAPH,
    MANIFEST,
    VERSION,
    LoadedMap,
    MapFileError,
    MapInfo,
    SavedKeyframe,
)
from dens3r_ros.mapping.graph.graph import Edge
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor
from dens3r_ros.mapping.step import Record


def read_info(path: Path) -> MapInfo:
    """What a map file says of itself, without reading its keyframes."""
    with _opened(path) as archive:
        return _info(_manifest(path, archive))


def read_map(path: Path) -> LoadedMap:
    """A whole map, every checksum verified; OSError or MapFileError with a sentence."""
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        try:
            graph = load(_member(path, archive, manifest, GRAPH))
            found = [_keyframe(path, archive, manifest, one) for one in manifest["keyframes"]]
            return _assembled(manifest, graph, found)
        except (KeyError, TypeError, SafetensorError) as error:
            raise MapFileError(f"{path} is a damaged map: {error!r} is wrong in it") from error


def _assembled(
    manifest: dict[str, Any], graph: dict[str, np.ndarray], keyframes: list[SavedKeyframe]
) -> LoadedMap:
    poses = {int(i): S for i, S in zip(graph["ids"], graph["poses"], strict=True)}
    measured = zip(graph["edge_ends"], graph["edge_poses"], graph["edge_covariances"], strict=True)
    edges = [Edge(int(i), int(j), S, spread, bool(loop)) for (i, j, loop), S, spread in measured]
    cameras = manifest["cameras"]
    placed = zip(graph["frames"], graph["frame_poses"], strict=True)
    records = [
        Record(int(stamp), cameras[camera], int(keyframe_id), T, int(epoch))
        for (stamp, camera, keyframe_id, epoch), T in placed
    ]
    return LoadedMap(_info(manifest), manifest["next_id"], poses, edges, records, keyframes)


def _keyframe(
    path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any], one: dict[str, Any]
) -> SavedKeyframe:
    arrays = load(_member(path, archive, manifest, f"keyframes/{one['id']}.safetensors"))
    placement: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in one["placement"].items()
    }
    stored = Stored(
        one["id"],
        one["stamp"],
        one["camera_name"],
        _member(path, archive, manifest, f"keyframes/{one['id']}.jpg"),
        Placement(**placement),
        None if one["intrinsics"] is None else Intrinsics(**one["intrinsics"]),
        Intrinsics(**one["camera"]),
        one["calibrated"],
        arrays["depth"],
        arrays["confidence"],
        one["folds"],
        one["revision"],
    )
    return SavedKeyframe(
        stored, PlaceDescriptor(arrays["view"], arrays["words"], arrays["corners"])
    )


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.exists():
        raise FileNotFoundError(f"there is no map at {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a map")
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise MapFileError(
            f"{path} is no map, or only a part of one: it is {path.stat().st_size} bytes long and"
            " does not end as a map does"
        ) from None


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    if MANIFEST not in archive.namelist():
        raise MapFileError(f"{path} is a zip file, but not a map: it has no {MANIFEST}")
    content = _content(path, archive, MANIFEST, archive.comment.decode("ascii", "replace"))
    manifest = json.loads(content)
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise MapFileError(
            f"{path} is {manifest.get('format')!r} version {manifest.get('version')}; this is"
            f" {FORMAT!r} version {VERSION}: load it with the release that wrote it"
        )
    return manifest


def _member(path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any], name: str) -> bytes:
    return _content(path, archive, name, manifest["sha256"][name])


def _content(path: Path, archive: zipfile.ZipFile, name: str, expected: str) -> bytes:
    try:
        content = archive.read(name)
    except (zipfile.BadZipFile, KeyError, EOFError):
        content = b""
    if hashlib.sha256(content).hexdigest() != expected:
        raise MapFileError(f"{path} is damaged: {name} in it is not what was saved")
    return content


def _info(manifest: dict[str, Any]) -> MapInfo:
    return MapInfo(
        manifest["version"],
        manifest["engine"],
        manifest["model"],
        manifest["model_hash"],
        manifest["metric"],
        manifest["levelled_by"],
        tuple(one["id"] for one in manifest["keyframes"]),
        manifest["frames"],
        manifest["edges"],
        manifest["loops"],
    )
