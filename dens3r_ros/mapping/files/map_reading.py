# SPDX-License-Identifier: Apache-2.0
"""Reading map files, and saying what is wrong with those that cannot be read."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.image_header import BadHeader, image_size
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
from dens3r_ros.mapping.graph.graph import Edge, ScalePrior
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor

LARGEST_BYTES = 32 << 30
"""Twice what the largest archive takes (100,000 keyframes, 165 kB each)."""


def read_info(path: Path) -> MapInfo:
    """What a map file says of itself, without reading its keyframes."""
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        try:
            return _info(manifest)
        except (KeyError, TypeError) as error:
            raise MapFileError(f"{path} is a damaged map: {error!r} is wrong in it") from error


def read_map(path: Path) -> LoadedMap:
    """A whole map, every checksum verified; OSError or MapFileError with a sentence."""
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        try:
            graph = load(_member(path, archive, manifest, GRAPH))
            found = [_keyframe(path, archive, manifest, one) for one in manifest["keyframes"]]
            return _assembled(path, manifest, graph, found)
        except (KeyError, TypeError, SafetensorError, BadHeader) as error:
            raise MapFileError(f"{path} is a damaged map: {error!r} is wrong in it") from error


def _assembled(
    path: Path,
    manifest: dict[str, Any],
    graph: dict[str, np.ndarray],
    keyframes: list[SavedKeyframe],
) -> LoadedMap:
    poses = {int(i): S for i, S in zip(graph["ids"], graph["poses"], strict=True)}
    measured = zip(graph["edge_ends"], graph["edge_poses"], graph["edge_covariances"], strict=True)
    edges = [Edge(int(i), int(j), S, spread, bool(loop)) for (i, j, loop), S, spread in measured]
    # Maps of earlier releases have none.
    told = graph.get("scale_priors", np.zeros((0, 3)))
    priors = {int(i): ScalePrior(float(scale), float(sigma)) for i, scale, sigma in told}
    cameras = manifest["cameras"]
    placed = zip(graph["frames"], graph["frame_poses"], strict=True)
    records = [
        Record(int(stamp), cameras[camera], int(keyframe_id), T, int(epoch))
        for (stamp, camera, keyframe_id, epoch), T in placed
    ]
    info, next_id = _info(manifest), manifest["next_id"]
    return LoadedMap(path, info, next_id, poses, edges, records, keyframes, priors)


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
        # Maps of earlier releases, and keyframes of which it was not told, have none.
        arrays.get("moving"),
    )
    _check_image(path, stored)
    _check_moving(path, stored)
    return SavedKeyframe(
        stored, PlaceDescriptor(arrays["view"], arrays["words"], arrays["corners"])
    )


_MOST_BYTES = {MANIFEST: 1 << 27, GRAPH: 1 << 31}
_OF_A_KEYFRAME = 1 << 26
_GROWTH = 10
"""Times the file's own size that its members may be together; those that we write are stored."""
_MOST_PIXELS = 250_000_000
"""Of a keyframe's image."""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A regular file of possible size as a zip file; nothing that a read could wait for."""
    if not path.exists():
        raise FileNotFoundError(f"there is no map at {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a map")
    check_file(path, path.stat())
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        check_file(path, status)
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            raise MapFileError(
                f"{path} is no map, or only a part of one: it is {status.st_size} bytes long and"
                " does not end as a map does"
            ) from None
        with archive:
            _check_sizes(path, archive)
            yield archive


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse members that would not fit into memory, by what the file says of them."""
    for member in archive.infolist():
        most = _MOST_BYTES.get(member.filename, _OF_A_KEYFRAME)
        if member.file_size > most:
            raise MapFileError(
                f"{path} is no map of ours: {member.filename} in it has {member.file_size} bytes,"
                f" of at most {most}"
            )
    unpacked, own = sum(m.file_size for m in archive.infolist()), path.stat().st_size
    if unpacked > _GROWTH * own:
        raise MapFileError(
            f"{path} is no map of ours: {own} bytes that would unpack to {unpacked}, of at most"
            f" {_GROWTH} times as many"
        )


def check_file(path: Path, status: os.stat_result) -> None:
    """MapFileError unless this is a regular file that is no larger than any map."""
    if not stat.S_ISREG(status.st_mode):
        raise MapFileError(f"{path} is no regular file, so no map")
    if status.st_size > LARGEST_BYTES:
        raise MapFileError(
            f"{path} is {status.st_size / 2**30:.0f} GiB; no map is larger than"
            f" {LARGEST_BYTES / 2**30:.0f} GiB"
        )


def _check_image(path: Path, keyframe: Stored) -> None:
    """Refuse pictures that would grow when the keyframe is used."""
    original = keyframe.placement.original
    height, width = image_size(keyframe.jpeg)
    if not 0 < height * width <= original[0] * original[1] <= _MOST_PIXELS:
        raise MapFileError(
            f"{path} is a damaged map: keyframe {keyframe.id} has a picture of {width}x{height}"
            f" for an image of {original[1]}x{original[0]}"
        )


def _check_moving(path: Path, keyframe: Stored) -> None:
    """Refuse what moves unless it is told of the keyframe's own pixels."""
    moving, shape = keyframe.moving, keyframe.depth.shape
    if moving is not None and (moving.shape != shape or moving.dtype != np.uint8):
        raise MapFileError(
            f"{path} is a damaged map: what moves in keyframe {keyframe.id} is {moving.dtype} of"
            f" {moving.shape}, its depth of {shape}"
        )


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    if MANIFEST not in archive.namelist():
        raise MapFileError(f"{path} is a zip file, but not a map: it has no {MANIFEST}")
    content = _content(path, archive, MANIFEST, archive.comment.decode("ascii", "replace"))
    manifest = _parsed(path, content)
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise MapFileError(
            f"{path} is {manifest.get('format')!r} version {manifest.get('version')}; this is"
            f" {FORMAT!r} version {VERSION}: load it with the release that wrote it"
        )
    return manifest


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise MapFileError(f"{path} is a damaged map: its {MANIFEST} is no JSON object")
    return manifest


def _member(path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any], name: str) -> bytes:
    return _content(path, archive, name, manifest["sha256"][name])


def _content(path: Path, archive: zipfile.ZipFile, name: str, expected: str) -> bytes:
    try:
        # By its declared size, which was looked at; `read` alone would take whatever it unpacks to.
        with archive.open(name) as member:
            content = member.read(archive.getinfo(name).file_size)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, zlib.error, RuntimeError):
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
