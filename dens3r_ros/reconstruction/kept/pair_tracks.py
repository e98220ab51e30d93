# SPDX-License-Identifier: Apache-2.0
"""Where pixels of one image lie in another, of all pairs that were decoded, kept on disk."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STRIDE = 4
"""Pixels of the engine between samples, both ways."""
CHUNK = 64
"""Pairs that wait in memory before they are written."""
_STEPS = 16.0
"""Steps of a confidence's logarithm in its byte."""

ImageKey = tuple[int, str]
"""Stamp and camera of an image."""


@dataclass(frozen=True)
class Place:
    """Where a pair's tracks are kept: a file, and the number in it."""

    path: Path
    number: int


@dataclass(frozen=True, eq=False)
class PairTracks:
    """Samples of image b, every `STRIDE` pixels, found in image a.

    flow (rows, columns, 2)
    float16: pixel in a minus pixel in b; confidence (rows, columns) uint8, 0 none, by `spread`.
    """

    a: ImageKey
    b: ImageKey
    flow: np.ndarray
    confidence: np.ndarray
    measured: bool = True
    """Whether the engine compared the images there, and does not only believe the points to lie
    so."""

    @property
    def spread(self) -> np.ndarray:
        """(rows, columns) float32 confidence above 1 as it was found; 0 none."""
        return np.expm1(self.confidence.astype(np.float32) / _STEPS)


def sample_pixels(shape: tuple[int, int]) -> np.ndarray:
    """(rows, columns, 2) float32 pixels (x, y) of the samples."""
    at = [np.arange(side, dtype=np.float32) * STRIDE + STRIDE // 2 for side in shape]
    y, x = np.meshgrid(*at, indexing="ij")
    return np.stack((x, y), -1)


def sampled(maps: np.ndarray) -> np.ndarray:
    """A map's values at the samples."""
    return maps[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def pair_tracks(
    a: ImageKey, b: ImageKey, pixels_b_in_a: np.ndarray, confidence: np.ndarray
) -> PairTracks:
    """Thinned tracks of a pair: where b's pixels lie in a (H, W, 2), and its confidence (H, W)."""
    there = sampled(pixels_b_in_a)
    flow = there - sample_pixels(there.shape[:2])
    good = np.isfinite(flow).all(-1) & (np.abs(flow).max(-1) < np.finfo(np.float16).max)
    steps = np.rint(_STEPS * np.log(np.maximum(sampled(confidence), 1))).clip(0, 255)
    flow = np.where(good[..., None], flow, 0).astype(np.float16)
    return PairTracks(a, b, flow, np.where(good, steps, 0).astype(np.uint8))


class TrackStore:
    """Tracks of many pairs in a folder; only the newest are in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting: list[PairTracks] = []
        self._next = len(self._chunks())
        self._lock = threading.RLock()  # frames may be decoded beside the thread that tracks them

    def add(self, tracks: PairTracks) -> None:
        """One pair more."""
        with self._lock:
            self._waiting.append(tracks)
            if len(self._waiting) >= CHUNK:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self._waiting:
                self._write()

    def _write(self) -> None:
        arrays: dict[str, np.ndarray] = {}
        for number, one in enumerate(self._waiting):
            arrays |= {f"flow{number}": one.flow, f"confidence{number}": one.confidence}
        names = json.dumps([(one.a, one.b, one.measured) for one in self._waiting])
        path = self._folder / f"{self._next:06d}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, names=np.array(names), **arrays)  # type: ignore[arg-type]
        part.replace(path)
        self._next += 1
        self._waiting = []

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for path in self._chunks():
                path.unlink()
            self._waiting, self._next = [], 0

    def places(self) -> dict[tuple[ImageKey, ImageKey], Place]:
        """Where every pair (a, b) is kept; of one that came twice, the first time."""
        self.flush()
        found: dict[tuple[ImageKey, ImageKey], Place] = {}
        for path in self._chunks():
            with np.load(path) as chunk:
                for number, (a, b, _) in enumerate(json.loads(str(chunk["names"]))):
                    found.setdefault(((a[0], a[1]), (b[0], b[1])), Place(path, number))
        return found

    def measured(self) -> bool:
        """Whether there are pairs that were compared on the images; of one engine all are alike."""
        self.flush()
        for path in self._chunks()[:1]:
            with np.load(path) as chunk:
                return bool(json.loads(str(chunk["names"]))[0][2])
        return False

    @staticmethod
    def read(pair: tuple[ImageKey, ImageKey], place: Place) -> PairTracks:
        """A pair's tracks."""
        with np.load(place.path) as chunk:
            flow, confidence = (chunk[f"{name}{place.number}"] for name in ("flow", "confidence"))
            return PairTracks(*pair, flow, confidence)

    def _chunks(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz"))
