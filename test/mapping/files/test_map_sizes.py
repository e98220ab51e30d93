# SPDX-License-Identifier: Apache-2.0
"""A map from elsewhere that unpacks to more than memory would end the node that loads it."""

from __future__ import annotations

import hashlib
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from dens3r_ros.mapping.files.map_file import MANIFEST, MapFileError
from dens3r_ros.mapping.files.map_reading import read_map


def repacked(path: Path, changed: dict[str, bytes], manifest: bytes | None = None) -> None:
    """Write a map anew with other members, compressed, every checksum right."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changed
    described = json.loads(members.pop(MANIFEST))
    described["sha256"] |= {n: hashlib.sha256(c).hexdigest() for n, c in changed.items()}
    manifest = manifest or json.dumps(described).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {MANIFEST: manifest}).items():
            archive.writestr(name, content)
        archive.comment = hashlib.sha256(manifest).hexdigest().encode()


@pytest.mark.parametrize(
    ("size", "expected"), [((1 << 26) + 1, "of at most"), (60 << 20, "would unpack to")]
)
def test_what_would_grow_when_it_is_read_is_refused_before(
    saved, monkeypatch, size: int, expected: str
) -> None:
    """A file of a few megabytes that unpacks to gigabytes would end the node that loads it."""
    _, path = saved
    repacked(path, {"keyframes/0.safetensors": bytes(size)})
    for name in ("read", "open"):
        monkeypatch.setattr(zipfile.ZipFile, name, lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match=expected):
        read_map(path)


def test_a_map_that_was_packed_tighter_is_still_read(saved) -> None:
    mapper, path = saved
    repacked(path, {})
    assert len(read_map(path).keyframes) == len(mapper.keyframes())


def test_a_member_that_unpacks_to_more_than_it_says_is_cut(saved) -> None:
    """Sizes in a zip file are claims; memory is taken for no more than was claimed."""
    _, path = saved
    name = "keyframes/0.safetensors"
    repacked(path, {name: bytes(40 << 20)})
    content = bytearray(path.read_bytes())
    declared = struct.pack("<I", 40 << 20)
    at = content.index(declared)
    while at >= 0:
        content[at : at + 4] = struct.pack("<I", 1000)
        at = content.find(declared)
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match="damaged"):
        read_map(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_pictures_that_are_larger_than_their_keyframe_are_refused(saved) -> None:
    _, path = saved
    large = cv2.imencode(".jpg", np.zeros((4000, 4000), np.uint8))[1].tobytes()
    repacked(path, {"keyframes/0.jpg": large})
    with pytest.raises(ValueError, match="4000x4000"):
        read_map(path)


@pytest.mark.parametrize("manifest", [b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_told(saved, manifest: bytes) -> None:
    _, path = saved
    repacked(path, {}, manifest)
    with pytest.raises(MapFileError, match="no JSON object"):
        read_map(path)
