# SPDX-License-Identifier: Apache-2.0
"""Worlds as fixed-size arrays of boxes, ellipsoids and cylinders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import UV_SCALE
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID

KINDS = (BOX, ELLIPSOID, CYLINDER)


@dataclass(frozen=True, eq=False)
class Primitives:
    """(B, P) shapes in world coordinates, z up, metres; slots are sorted by kind.

    A shape is centred at `centre` (B, P, 3), turned by `rotation` (B, P, 3, 3, world from own
    axes) and reaches `half` (B, P, 3) along its own axes. `active` slots exist, `casts` says which
    throw shadows, `group` (B, P) int64 which lamps shine on it, `material` (B, P, M) how it looks.
    """

    counts: tuple[int, int, int]
    centre: Tensor
    rotation: Tensor
    half: Tensor
    active: Tensor
    casts: Tensor
    group: Tensor
    material: Tensor

    def slots(self, kind: int) -> slice:
        """The slots that hold a kind."""
        start = sum(self.counts[:kind])
        return slice(start, start + self.counts[kind])

    def __getitem__(self, index: Tensor) -> Primitives:
        """The worlds of a batch that `index` names."""
        return self.map(lambda array: array[index])

    def map(self, change) -> Primitives:  # type: ignore[no-untyped-def]
        """The same with `change` applied to every array."""
        return replace(self, **{name: change(getattr(self, name)) for name in _ARRAYS})

    def placed(self, turn: Tensor, offset: Tensor) -> Primitives:
        """Each world of the batch turned by (B, 3, 3) and moved by (B, 3)."""
        centre = (turn[:, None] * self.centre[:, :, None]).sum(-1) + offset[:, None]
        rotation = turn[:, None] @ self.rotation
        return replace(self, centre=centre, rotation=rotation)

    def kept(self, keep: Tensor) -> Primitives:
        """A single world with only the slots where `keep` (P,)."""
        counts = [int(keep[self.slots(kind)].sum()) for kind in KINDS]
        part = self.map(lambda array: array[:, keep])
        return replace(part, counts=(counts[0], counts[1], counts[2]))


_ARRAYS = ("centre", "rotation", "half", "active", "casts", "group", "material")


def yaw_rotation(yaw: Tensor) -> Tensor:
    """(..., 3, 3) turns about z by (...) radians."""
    c, s, zero = yaw.cos(), yaw.sin(), torch.zeros_like(yaw)
    rows = (c, -s, zero, s, c, zero, zero, zero, zero + 1.0)
    return torch.stack(rows, -1).reshape(*yaw.shape, 3, 3)


def tilt_rotation(angle: Tensor) -> Tensor:
    """(..., 3, 3) turns about x by (...) radians."""
    c, s, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = (zero + 1.0, zero, zero, zero, c, -s, zero, s, c)
    return torch.stack(rows, -1).reshape(*angle.shape, 3, 3)


class Builder:
    """Collects the shapes of `count` worlds that are built alike."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.count, self.device = count, device
        self._parts: dict[int, list[dict[str, Tensor]]] = {kind: [] for kind in KINDS}

    def add(
        self,
        kind: int,
        centre: Tensor,
        half: Tensor,
        material: Tensor,
        rotation: Tensor | None = None,
        active: Tensor | None = None,
        casts: bool = True,
        group: Tensor | None = None,
    ) -> None:
        """Add (B, N) shapes; `rotation` is (B, N) yaw or (B, N, 3, 3)."""
        shape = centre.shape[:2]
        if rotation is None:
            rotation = torch.eye(3, device=self.device).expand(*shape, 3, 3)
        elif rotation.dim() == 2:
            rotation = yaw_rotation(rotation)
        yes = torch.ones(shape, dtype=torch.bool, device=self.device)
        self._parts[kind].append(
            {
                "centre": centre,
                "rotation": rotation,
                "half": half.expand_as(centre),
                "active": yes if active is None else active,
                "casts": yes if casts else ~yes,
                "group": torch.zeros_like(yes, dtype=torch.int64) if group is None else group,
                "material": _fitted(material, half),
            }
        )

    def finish(self) -> Primitives:
        """All that was added, sorted by kind."""
        parts = [part for kind in KINDS for part in self._parts[kind]]
        arrays = {name: torch.cat([part[name] for part in parts], 1) for name in _ARRAYS}
        counts = [sum(part["active"].shape[1] for part in self._parts[kind]) for kind in KINDS]
        return Primitives(counts=(counts[0], counts[1], counts[2]), **arrays)


def _fitted(material: Tensor, half: Tensor) -> Tensor:
    """Where a material's scale is 0, spread one copy of its tile over each face."""
    scale = material[..., UV_SCALE]
    spread = torch.where(scale == 0.0, 0.5 / half.clamp(min=1e-3), scale)
    start, stop = UV_SCALE.start, UV_SCALE.stop
    return torch.cat((material[..., :start], spread, material[..., stop:]), -1)


def joined(batches: list[Primitives], order: Tensor) -> Primitives:
    """Worlds built in groups, padded to equal slots and put back into the order of the batch."""
    counts = tuple(max(batch.counts[kind] for batch in batches) for kind in KINDS)
    padded = [_padded(batch, (counts[0], counts[1], counts[2])) for batch in batches]
    arrays = {name: torch.cat([getattr(p, name) for p in padded])[order] for name in _ARRAYS}
    return Primitives(counts=padded[0].counts, **arrays)


def _padded(batch: Primitives, counts: tuple[int, int, int]) -> Primitives:
    def pad(array: Tensor) -> Tensor:
        pieces = []
        for kind in KINDS:
            piece = array[:, batch.slots(kind)]
            missing = counts[kind] - batch.counts[kind]
            pieces += [piece, piece.new_zeros(len(piece), missing, *piece.shape[2:])]
        return torch.cat(pieces, 1)

    return replace(batch.map(pad), counts=counts)


def flattened(batch: Primitives) -> Primitives:
    """All worlds of a batch as one world."""

    def flat(array: Tensor) -> Tensor:
        pieces = [array[:, batch.slots(kind)].flatten(0, 1) for kind in KINDS]
        return torch.cat(pieces)[None]

    n = len(batch.centre)
    counts = (batch.counts[0] * n, batch.counts[1] * n, batch.counts[2] * n)
    return replace(batch.map(flat), counts=counts)


def together(first: Primitives, second: Primitives) -> Primitives:
    """The shapes of two batches of equally many worlds in the same worlds."""
    pieces = {
        name: [getattr(p, name)[:, p.slots(kind)] for kind in KINDS for p in (first, second)]
        for name in _ARRAYS
    }
    arrays = {name: torch.cat(pieces[name], 1) for name in _ARRAYS}
    counts = [a + b for a, b in zip(first.counts, second.counts, strict=True)]
    return Primitives(counts=(counts[0], counts[1], counts[2]), **arrays)
