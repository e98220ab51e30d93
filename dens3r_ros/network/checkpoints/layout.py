# SPDX-License-Identifier: Apache-2.0
"""How a family of networks is published, and networks made of tensors that are laid out so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dens3r_ros.network.checkpoints.errors import WeightsError

Arguments = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]

_LOG = logging.getLogger(__name__)


def same_name(key: str) -> str | None:
    """For families whose parameters we call as they are published."""
    return key


def nothing_unused(key: str) -> bool:
    """For families of whose tensors every one is read."""
    return False


@dataclass(frozen=True)
class Layout:
    """One family: how its files are told from others, and what is made of them.

    name        for people
    marks       ends of names of tensors that together no other family has
    make        a network from a constructor's arguments, as far as the file has any, and the shapes
                of its tensors; raises ValueError, TypeError or LookupError where it cannot
    own_name    our name for a published tensor; None where it is not known
    is_unused   whether the family's files carry this tensor without its being read
    canonical   the one name of a tensor that files may hold under several
    prefix      before the names in files of a training framework, whose other tensors are not the
                network's
    """

    name: str
    marks: tuple[str, ...]
    make: Callable[[Arguments, Shapes], nn.Module]
    own_name: Callable[[str], str | None] = same_name
    is_unused: Callable[[str], bool] = nothing_unused
    canonical: Callable[[str], str] = str
    prefix: str = ""

    def recognises(self, keys: Collection[str]) -> bool:
        """Whether a file with these tensors is of the family."""
        bare = {self._bare(key) for key in keys}
        return all(any(mark == key for key in bare) for mark in self.marks)

    def stripped(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The network's tensors by their canonical published names."""
        framed = bool(self.prefix) and any(key.startswith(self.prefix) for key in tensors)
        return {
            self.canonical(self._bare(key)): tensor
            for key, tensor in tensors.items()
            if not framed or key.startswith(self.prefix)
        }

    def _bare(self, key: str) -> str:
        return key.removeprefix("module.").removeprefix(self.prefix)


def network_of(
    layout: Layout, arguments: Arguments, tensors: Mapping[str, Tensor], where: str
) -> nn.Module:
    """A network for inference around the tensors as they lie; WeightsError where they do not fit.

    Float32 tensors are not copied; others are converted one by one.
    """
    published = layout.stripped(tensors)
    shapes = {key: tuple(tensor.shape) for key, tensor in published.items()}
    try:
        with torch.device("meta"):
            network = layout.make(arguments, shapes)
    except (ValueError, TypeError, LookupError) as error:
        reason = f"no tensor {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"{where}: seems to be {layout.name}, but has {reason}.") from error
    named, unknown = own_tensors(layout, published)
    expected = network.state_dict()
    unknown += [name for name in named if name not in expected]
    if unknown:
        told = ", ".join(unknown[:5])
        _LOG.warning("%s: %d tensors unknown here are left out: %s", where, len(unknown), told)
    named = {name: tensor for name, tensor in named.items() if name in expected}
    check_fit(named, expected, where)
    for name in named:
        named[name] = named[name].float()
    network.load_state_dict(named, assign=True)
    return network.eval().requires_grad_(False)


def own_tensors(
    layout: Layout, published: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by our names, and the published names of those that are not known."""
    named: dict[str, Tensor] = {}
    unknown: list[str] = []
    for key, tensor in published.items():
        if layout.is_unused(key):
            continue
        name = layout.own_name(key)
        if name is None:
            unknown.append(key)
        else:
            named[name] = tensor
    return named, unknown


def check_fit(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Raise WeightsError unless every expected tensor was found, and in its shape."""
    missing = [name for name in expected if name not in found]
    if missing:
        raise WeightsError(
            f"{where}: {len(missing)} of {len(expected)} tensors are missing, "
            f"{', '.join(missing[:3])} among them; the file is incomplete or of another network."
        )
    wrong = [name for name in expected if found[name].shape != expected[name].shape]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{where}: {len(wrong)} tensors have another shape than their network: "
            f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}."
        )
