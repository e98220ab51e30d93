# SPDX-License-Identifier: Apache-2.0
"""Refuses what networks for many views cannot look at, in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol


class _View(Protocol):
    @property
    def grid(self) -> tuple[int, int]: ...


def check_outputs(outputs: Collection[str], known: Collection[str]) -> None:
    """Raise ValueError where something is wanted that the network does not give, or nothing."""
    unknown = [name for name in outputs if name not in known]
    if unknown or not outputs:
        wanted = ", ".join(unknown) or "nothing"
        raise ValueError(f"the network gives {', '.join(known)}; {wanted} was asked for")


def check_views(views: Sequence[_View]) -> tuple[int, int]:
    """The grid of patches of all views; ValueError where there is none, or more than one."""
    sizes = sorted({view.grid for view in views})
    if not sizes:
        raise ValueError("there are no views to look at")
    if len(sizes) > 1:
        listed = ", ".join(f"{columns} x {rows}" for rows, columns in sizes)
        raise ValueError(f"views that are looked at together have one size, not {listed} patches")
    return sizes[0]


def check_indices(indices: Sequence[int] | None, views: int) -> None:
    """Raise ValueError where views are named that there are not, or none at all."""
    if indices is None:
        return
    absent = [index for index in indices if not 0 <= index < views]
    if absent or not indices:
        raise ValueError(
            f"maps of views {list(indices)} were asked for; there are 0 to {views - 1}"
        )
