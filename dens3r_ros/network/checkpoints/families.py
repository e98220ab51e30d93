# SPDX-License-Identifier: Apache-2.0
"""The families of networks whose published checkpoints are known by the names of their tensors.

The pairwise family is not among them: its checkpoints need the arguments of their constructor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dens3r_ros.network.multiview import any_view_keys
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import AnyViewDescription
from dens3r_ros.network.pairwise.network import Network

Shapes = Mapping[str, tuple[int, ...]]
AnyNetwork = Network | AnyViewNetwork
"""A network of any family: it has `description`, `info`, `set_backbone_dtype`."""


@dataclass(frozen=True)
class Family:
    """One kind of network, and how its published checkpoints are read.

    kind         its name in files of our own
    description  the frozen dataclass from which `network` is built
    marks        tensors that all lie in its checkpoints, and together in no other family's
    describe     the description, from shapes by published name, and from whatever configuration
                 lies beside or in the file; its "model_name" is that of the file at least
    own_name     our name for a published one; None where it is unknown
    is_unused    whether a tensor is carried by published files though nothing reads it
    """

    kind: str
    description: type[Any]
    network: Callable[[Any], AnyNetwork]
    marks: tuple[str, ...]
    describe: Callable[[Shapes, Mapping[str, Any]], Any]
    own_name: Callable[[str], str | None]
    is_unused: Callable[[str], bool]


FAMILIES = (
    Family(
        kind="any_view",
        description=AnyViewDescription,
        network=AnyViewNetwork,
        marks=(any_view_keys.MARK,),
        describe=any_view_keys.describe,
        own_name=any_view_keys.own_name,
        is_unused=any_view_keys.is_unused,
    ),
)


def family_of(keys: Collection[str]) -> Family | None:
    """The family whose checkpoint has these tensors; None where no family is known by them."""
    found = (family for family in FAMILIES if all(mark in keys for mark in family.marks))
    return next(found, None)


def family_of_kind(kind: str) -> Family | None:
    """The family that files of our own call `kind`."""
    return next((family for family in FAMILIES if family.kind == kind), None)


def family_of_description(description: Any) -> Family | None:
    """The family whose networks are built from such a description."""
    return next((f for f in FAMILIES if isinstance(description, f.description)), None)
