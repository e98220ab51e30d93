# SPDX-License-Identifier: Apache-2.0
"""Published checkpoints of the pairwise family, which say what they are in a constructor call."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dens3r_ros.network.errors import wrong_file
from dens3r_ros.network.pairwise.constructor import parse_constructor
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.pairwise.keys import canonical, is_unused, own_name
from dens3r_ros.network.pairwise.published import CLASSES, describe_published

_LOG = logging.getLogger(__name__)


def constructor_arguments(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in what torch saved; raises WeightsError, saying what it is, on others."""
    seems = _foreign_content(content)
    if seems:
        raise wrong_file(path, seems)
    try:
        name, arguments = parse_constructor(content["args"].model)
    except ValueError as error:
        raise wrong_file(path, f"a checkpoint whose args hold {error}") from error
    if name not in CLASSES:
        raise wrong_file(path, f"a checkpoint of {name}", f"one of {' or '.join(CLASSES)}")
    return arguments


def read_published(
    path: Path, arguments: Mapping[str, Any], model: Mapping[str, Tensor]
) -> tuple[NetworkDescription, dict[str, Tensor]]:
    """The description of a checkpoint, and its tensors by our names."""
    tensors = {canonical(key): value for key, value in model.items()}
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    try:
        description = describe_published(arguments, shapes)
    except (ValueError, TypeError, LookupError) as error:
        raise wrong_file(path, f"a checkpoint with {error}") from error
    return description, _renamed(path, tensors)


def _foreign_content(content: Mapping[str, Any]) -> str | None:
    """What a dictionary saved by torch is, where it is no official checkpoint."""
    if "dune_backbone_name" in content:
        return "a DUNE checkpoint, whose encoder is of another family"
    args = content.get("args")
    if not isinstance(content.get("model"), dict):
        tensors = sum(isinstance(value, Tensor) for value in content.values())
        if tensors and tensors == len(content):
            return (
                f"a bare state_dict of {tensors} tensors, without the args that describe them and "
                f"of no family known by its tensors ({listed(content)})"
            )
        return f"a dictionary saved by torch with the keys {listed(content)}"
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content["model"].items()):
        return "a checkpoint whose model holds other things than named tensors"
    if not isinstance(args, argparse.Namespace):
        return (
            "a checkpoint without args, which describe its network, and of no family known by "
            f"its tensors ({listed(content['model'])})"
        )
    if hasattr(args, "nclusters"):
        return "a retrieval checkpoint, which has no 3-D heads"
    if not isinstance(getattr(args, "model", None), str):
        return "a checkpoint whose args name no model"
    return None


def listed(keys: Mapping[str, Any]) -> str:
    """The first of many keys."""
    text = ", ".join(map(str, list(keys)[:8]))
    return text if len(text) <= 200 else f"{text[:197]}..."


def _renamed(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed, unknown = {}, []
    for key, tensor in tensors.items():
        if is_unused(key):
            continue
        name = own_name(key)
        if name is None:
            unknown.append(key)
        else:
            renamed[name] = tensor
    if unknown:
        _LOG.warning(
            "%s: %d tensors unknown here are left out: %s",
            path,
            len(unknown),
            ", ".join(unknown[:5]),
        )
    return renamed
