# SPDX-License-Identifier: Apache-2.0
"""A file of published numbers, which remembers what of it was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Fixture:
    """Arrays and configuration of one `.npz`, or the content of one `.json`.

    Weights (`sd/...`) and inputs may go unread; outputs may not, or a file with more of them than
    a comparison knows would pass unseen.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: Any = None
        self._arrays: Any = {}
        if path.suffix == ".json":
            self.content = json.loads(path.read_text())
        else:
            self._arrays = np.load(path)
        self.names = frozenset(getattr(self._arrays, "files", ()))
        self._read: set[str] = set()

    @property
    def config(self) -> dict[str, Any]:
        """What the file tells of itself; empty where it tells nothing."""
        return self.json("config_json") if "config_json" in self.names else {}

    def json(self, name: str) -> dict[str, Any]:
        """One of the file's JSON texts."""
        return json.loads(str(self._arrays[name]))

    def array(self, name: str) -> np.ndarray:
        """An array; raises KeyError where the file has none of the name."""
        self._read.add(name)
        return self._arrays[name]

    def tensor(self, name: str) -> Tensor:
        """The same as a tensor."""
        return torch.from_numpy(np.ascontiguousarray(self.array(name)))

    def under(self, start: str) -> list[str]:
        """What follows `start` in the names that begin with it, in the file's order."""
        files = getattr(self._arrays, "files", ())
        return [name[len(start) :] for name in files if name.startswith(start)]

    def folders(self, start: str) -> list[str]:
        """The different first parts of what lies under `start`."""
        return list(dict.fromkeys(rest.partition("/")[0] for rest in self.under(start)))

    def weights(self, start: str = "sd/") -> dict[str, Tensor]:
        """All weights that the file holds, by their published names."""
        return {key: self.tensor(start + key) for key in self.under(start)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights, held by the file or to be made by a recipe; empty without any."""
        if "state_keys_json" in self.names:
            return {key: tuple(shape) for key, shape in self.json("state_keys_json").items()}
        return {key: tuple(self._arrays[f"sd/{key}"].shape) for key in self.under("sd/")}

    def unread_outputs(self) -> Iterator[str]:
        """Outputs of the published code that nothing was compared with."""
        for name in sorted(self.names - self._read):
            if any(part.startswith(("out", "infer")) for part in name.split("/")[:-1]):
                yield name


def images(pixels: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) in [-1, 1], as networks of the DUSt3R family take them."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


def subsampled(value: Tensor, how: str, batched: bool = True) -> Tensor:
    """The part of a map (B, H, W, ...), or of tokens (B, N, C), that a file keeps.

    `how` is what follows @ in a name: `1::2` for rows and columns from 1 on by 2, `tok::37` for
    every 37th token. Without a batch the same of (H, W, ...) and (N, C).
    """
    if not how:
        return value
    kind, _, rest = how.partition("::")
    lead = (slice(None),) if batched else ()
    step = slice(int(kind) if kind.isdigit() else None, None, int(rest))
    steps = (step,) if kind == "tok" else (step, step)
    return value[lead + steps]
