# SPDX-License-Identifier: Apache-2.0
"""What client and server say to each other inside the open inference protocol.

A model has two inputs and two outputs, each one BYTES element: `call` and `answer` are JSON, `data`
is what they speak of, in one piece. Calls:

    describe  nothing                                 -> info, sizing
    encode    pictures                                -> nothing
    decode    pairs of keys, outputs, packing, pictures -> maps, or missing keys
    window    keys, outputs, packing, pictures        -> maps of every view, or missing keys

Every answer names the model and its hash; one that failed has `error` and `kind`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dens3r_ros.geometry.camera import Intrinsics

WIRE = 3
"""Version of what stands above; a server of another one is refused."""
REFUSED, FAILED = "refused", "failed"
"""Kinds of errors: asking again is no use, or may be."""


@dataclass(frozen=True, eq=False)
class Message:
    """A call or an answer: what JSON can say, and bytes."""

    head: Mapping[str, Any]
    data: bytes = b""

    @property
    def text(self) -> bytes:
        """The head as it travels."""
        return json.dumps(self.head, separators=(",", ":")).encode()

    @classmethod
    def read(cls, text: bytes, data: bytes) -> Message:
        """From what has travelled; ValueError where it is none."""
        head = json.loads(text)
        if not isinstance(head, dict):
            raise ValueError("a call must be a JSON object")
        return cls(head, data)


@dataclass(frozen=True, eq=False)
class Picture:
    """An image on its way: compressed pixels at the network's size, as the network sees them, and
    their camera. `key` is made of all that decides what its features are."""

    key: str
    data: bytes
    size: tuple[int, int]
    intrinsics: Intrinsics | None

    @classmethod
    def of(cls, data: bytes, size: tuple[int, int], intrinsics: Intrinsics | None) -> Picture:
        """With its key."""
        camera = "" if intrinsics is None else repr(intrinsics)
        key = hashlib.blake2b(data + camera.encode(), digest_size=12).hexdigest()
        return cls(key, data, size, intrinsics)


def with_pictures(head: Mapping[str, Any], pictures: Sequence[Picture]) -> Message:
    """A call that brings pictures along."""
    listed = [
        {
            "key": picture.key,
            "bytes": len(picture.data),
            "size": picture.size,
            "camera": None if picture.intrinsics is None else asdict(picture.intrinsics),
        }
        for picture in pictures
    ]
    return Message({**head, "pictures": listed}, b"".join(picture.data for picture in pictures))


def pictures_of(call: Message) -> list[Picture]:
    """What `with_pictures` put in; ValueError where the sizes do not agree."""
    start, found = 0, []
    for one in call.head.get("pictures", []):
        end = start + int(one["bytes"])
        camera = None if one["camera"] is None else Intrinsics(**one["camera"])
        height, width = one["size"]
        picture = Picture(str(one["key"]), call.data[start:end], (height, width), camera)
        found.append(picture)
        start = end
    if start != len(call.data):
        raise ValueError(f"{len(call.data)} bytes of pictures came, {start} were announced")
    return found
