# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves, by picture, kept small and on disk."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np


class MovingMasks:
    """Masks (H, W) bool on the upright pixels that an engine works on, 24 kB each at 512x384.

    They are found by what a picture shows, so that it does not matter which stamps it was given.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[np.ndarray, tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, name: str, mask: np.ndarray) -> None:
        """Keep the mask of the picture that `name_of` calls so."""
        self._kept[name] = np.packbits(mask), (mask.shape[0], mask.shape[1])

    def of(self, image: np.ndarray) -> np.ndarray | None:
        """The mask of a picture; None where it was not among those that were looked at."""
        found = self._kept.get(name_of(image))
        if found is None:
            return None
        bits, (height, width) = found
        return np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)

    def update(self, others: MovingMasks) -> None:
        """Keep those too."""
        self._kept |= others._kept

    @property
    def share(self) -> float:
        """Of all pixels, how many move."""
        moving = sum(int(np.unpackbits(bits).sum()) for bits, _ in self._kept.values())
        return moving / max(sum(height * width for _, (height, width) in self._kept.values()), 1)

    def save(self, path: Path) -> None:
        """Write all of them, whole or not at all."""
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            sizes = {f"size {name}": np.array(size) for name, (_, size) in self._kept.items()}
            bits = {f"bits {name}": bits for name, (bits, _) in self._kept.items()}
            np.savez(file, **(sizes | bits))  # type: ignore[arg-type]
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> MovingMasks:
        """What `save` wrote."""
        masks = cls()
        with np.load(path) as file:
            for key in file.files:
                kind, _, name = key.partition(" ")
                if kind == "bits":
                    height, width = file[f"size {name}"].tolist()
                    masks._kept[name] = file[key], (height, width)
        return masks


def name_of(image: np.ndarray) -> str:
    """What a picture is called: a digest of its pixels."""
    return blake2b(image.tobytes(), digest_size=12).hexdigest()
