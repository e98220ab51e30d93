# SPDX-License-Identifier: Apache-2.0
"""Photos on disk, so that any of them can be read again and few are in memory."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics

_QUALITY = 95


class Album:
    """A folder with every photo that could be read, by number, and what is known of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "album.json"
        told = json.loads(self._index.read_text()) if self._index.is_file() else []
        self._told: list[dict] = told

    def __len__(self) -> int:
        return len(self._told)

    def path(self, number: int) -> Path:
        """Its image's file."""
        return self._folder / f"{number:06d}.jpg"

    def add(self, frame: Frame) -> int:
        """Keep one more; its number."""
        number = len(self._told)
        pixels = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        self.path(number).write_bytes(encoded.tobytes())
        lens = None if frame.intrinsics is None else asdict(frame.intrinsics)
        self._told.append(
            {"stamp": frame.stamp, "camera": frame.camera, "lens": lens, "size": frame.size}
        )
        return number

    def close(self) -> None:
        """Note that all are there."""
        part = self._index.with_suffix(".part")
        part.write_text(json.dumps(self._told))
        part.replace(self._index)

    def lens(self, number: int) -> Intrinsics | None:
        """Its lens as it was told, of the whole image."""
        lens = self._told[number]["lens"]
        return None if lens is None else Intrinsics(**lens)

    def size(self, number: int) -> tuple[int, int]:
        """(height, width)."""
        height, width = self._told[number]["size"]
        return height, width

    def name(self, number: int) -> str:
        """What it is called."""
        return str(self._told[number]["camera"])

    def frame(self, number: int, lens: Intrinsics | None = None) -> Frame:
        """The photo, with its own lens or the one given."""
        pixels = cv2.imread(str(self.path(number)))
        if pixels is None:
            raise OSError(f"{self.path(number)} was there and is gone")
        image = np.ascontiguousarray(pixels[..., ::-1])
        told = self._told[number]
        return Frame(image, told["stamp"], told["camera"], lens or self.lens(number))
