# SPDX-License-Identifier: Apache-2.0
"""What must be told of a kind of network, so that its published checkpoints can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class NetworkFamily:
    """One kind of network, and how its published checkpoints are read.

    kind         its name in files of our own
    title        its name for people
    description  the frozen dataclass from which `network` is built
    marks        tensors that all lie in its checkpoints, and together in no other family's
    describe     the description, from shapes by published name, and from whatever configuration
                 lies beside or in the file; its "model_name" is that of the file at least
    own_name     our name for a published one; None where it is unknown
    is_unused    whether a tensor is carried by published files though nothing reads it
    prefix       before the names in files of a training framework, whose other tensors are not the
                 network's
    """

    kind: str
    title: str
    description: type[Any]
    network: Callable[[Any], Any]
    marks: tuple[str, ...]
    describe: Callable[[Shapes, Mapping[str, Any]], Any]
    own_name: Callable[[str], str | None]
    is_unused: Callable[[str], bool]
    prefix: str = ""

    def stripped(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The network's own tensors, by their names without the prefix."""
        if not self.prefix or not any(key.startswith(self.prefix) for key in tensors):
            return dict(tensors)
        count = len(self.prefix)
        return {k[count:]: tensor for k, tensor in tensors.items() if k.startswith(self.prefix)}

    def recognises(self, keys: Collection[str]) -> bool:
        """Whether tensors by these names are of the family."""
        own = self.stripped(dict.fromkeys(keys))
        return all(mark in own for mark in self.marks)
