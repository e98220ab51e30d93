# SPDX-License-Identifier: Apache-2.0
"""Tables of the tensors of full-size checkpoints: every one is read, and none is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from dens3r_ros.evaluation.parity.comparison import Comparison, LeftOut
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.network import Network
from dens3r_ros.network.checkpoints.families import family_of
from dens3r_ros.network.pairwise import keys as pairwise_keys
from dens3r_ros.network.pairwise.deduced import deduced_arguments
from dens3r_ros.network.pairwise.published import describe_published

NAME = "key table"
_PREFIX = "model."
_Shapes = dict[str, tuple[int, ...]]
# Our names by published ones, published names that nothing reads, and the network without data.
_Read = tuple[dict[str, str], list[str], nn.Module]


def recognises(fixture: Fixture) -> bool:
    """Whether the file lists shapes by names of tensors."""
    table = _table(fixture.content)
    return bool(table) and (_is_nested(table) or _is_known(table))


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Tensors that nothing reads, tensors that the network misses, and other shapes."""
    table = _table(fixture.content)
    if _is_nested(table):
        raise LeftOut("two networks in one file, which is not loaded; each loads by itself")
    config = {**fixture.content.get("model_config", {}), "model_name": fixture.path.stem}
    names, unread, network = _read(table, config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {own: table[theirs] for theirs, own in names.items()}
    unread += [theirs for theirs, own in names.items() if own not in expected]
    missing = [name for name in expected if name not in found]
    wrong = [name for name in expected if name in found and found[name] != expected[name]]
    for what, listed in (("unread", unread), ("missing", missing), ("of other shape", wrong)):
        note = ", ".join(listed[:4])
        yield Comparison("", f"tensors {what}", float(len(listed)), 0.0, "tensors", note)


def _table(content: Any) -> _Shapes:
    """Shapes by name; empty where the content is something else."""
    if not isinstance(content, Mapping):
        return {}
    keys = content.get("keys", content)
    if not isinstance(keys, Mapping) or not keys:
        return {}
    if not all(isinstance(shape, list) for shape in keys.values()):
        return {}
    return {name: tuple(shape) for name, shape in keys.items()}


def _is_nested(table: _Shapes) -> bool:
    """Whether it is Depth Anything 3's any-view network together with the metric one."""
    return any(key.startswith(f"{_PREFIX}da3_metric.") for key in table)


def _is_known(table: _Shapes) -> bool:
    plain = _plain(table)
    is_pairwise = {"enc_norm.weight", "dec_norm.weight"} <= set(plain)
    return is_pairwise or family_of(plain) is not None


def _plain(table: _Shapes) -> dict[str, str]:
    """Names in the table, by names without the prefix of Hugging Face."""
    if all(key.startswith(_PREFIX) for key in table):
        return {key[len(_PREFIX) :]: key for key in table}
    return {key: key for key in table}


def _read(table: _Shapes, config: Mapping[str, Any]) -> _Read:
    plain = _plain(table)
    family = family_of(plain)
    if family is None:
        return _read_pairwise(table)
    own = family.stripped(plain)
    shapes = {name: table[key] for name, key in own.items()}
    names, unread = {}, [key for key in table if key not in own.values()]
    for name, key in own.items():
        ours = family.own_name(name)
        if family.is_unused(name):
            continue
        if ours is None:
            unread.append(key)
        else:
            names[key] = ours
    with torch.device("meta"):
        return names, unread, family.network(family.describe(shapes, config))


def _read_pairwise(table: _Shapes) -> _Read:
    shapes = {pairwise_keys.canonical(key): shape for key, shape in table.items()}
    names, unread = {}, []
    for key in table:
        name = pairwise_keys.canonical(key)
        if pairwise_keys.is_unused(name):
            continue
        ours = pairwise_keys.own_name(name)
        if ours is None:
            unread.append(key)
        else:
            names[key] = ours
    with torch.device("meta"):
        return names, unread, Network(describe_published(deduced_arguments(shapes), shapes))
