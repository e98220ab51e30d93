# SPDX-License-Identifier: Apache-2.0
"""Reads any file of weights into a description and named tensors, mapped rather than copied."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dens3r_ros.network.checkpoints import pairwise
from dens3r_ros.network.checkpoints.families import family_of, family_of_kind
from dens3r_ros.network.checkpoints.family import NetworkFamily
from dens3r_ros.network.checkpoints.files import open_safetensors, open_torch, read_config, shards
from dens3r_ros.network.checkpoints.sniff import kind_of
from dens3r_ros.network.errors import wrong_file
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.parts.described import from_values

METADATA_KEY = "dens3r_ros.network"
KIND = "kind"
"""In a description in a file of our own: which family it is of; the pairwise one has none."""
_TORCH_NAMES = ("model.pt", "model.pth")


@dataclass(eq=False)
class Weights:
    """A network on disk: what it is, and its tensors by our names.

    `description` is a `NetworkDescription` or that of one of the other families.
    """

    path: Path
    description: Any
    tensors: dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """Read a file or folder of weights; raises WeightsError on anything else."""
    if path.is_dir():
        return _read_folder(path)
    if kind_of(path) == "torch":
        return _read_torch(path)
    return _read_safetensors(path)


def from_published(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], path: Path
) -> Weights | None:
    """Weights from tensors by published names; None where no family is known by them.

    `config` is the configuration that came with them; `path` is where they lie, for messages and
    for what the name of a file tells.
    """
    plain = _without_prefix(tensors)
    family = family_of(plain.keys())
    if family is None:
        _refuse_nested(path, plain)
        return None
    plain = family.stripped(plain)
    name = config.get("model_name", path.parent.name if path.stem == "model" else path.stem)
    shapes = {key: tuple(value.shape) for key, value in plain.items()}
    try:
        description = family.describe(shapes, {**config, "model_name": name})
    except (ValueError, TypeError, LookupError) as error:
        raise wrong_file(
            path, f"a {family.title} checkpoint of an unknown kind ({error})"
        ) from error
    return Weights(path, description, _renamed(path, family, plain))


def _refuse_nested(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if any(key.startswith("da3_metric.") for key in tensors):
        raise wrong_file(
            path,
            "a nested Depth Anything 3 checkpoint, two networks in one",
            "one of them, as they are published by themselves: DA3-GIANT and DA3METRIC-LARGE",
        )


def _without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    plain = {key.removeprefix("module."): value for key, value in tensors.items()}
    if all(key.startswith("model.") for key in plain):
        return {key.removeprefix("model."): value for key, value in plain.items()}
    return plain


def _renamed(path: Path, family: NetworkFamily, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = {key: family.own_name(key) for key in tensors if not family.is_unused(key)}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise wrong_file(
            path,
            f"a {family.title} checkpoint of an unknown kind, with {len(unknown)} tensors more "
            f"({pairwise.listed(dict.fromkeys(unknown))})",
        )
    return {name: tensors[key] for key, name in names.items() if name is not None}


def _read_torch(path: Path) -> Weights:
    content = open_torch(path)
    known = from_published(_state_of(content), _config_of(content), path)
    if known is not None:
        return known
    arguments = pairwise.constructor_arguments(path, content)
    return Weights(path, *pairwise.read_published(path, arguments, content["model"]))


def _state_of(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors in what torch saved: of the model in it, or by themselves."""
    inner = next((content[key] for key in ("model", "state_dict") if key in content), content)
    if not isinstance(inner, Mapping):
        return {}
    return {key: value for key, value in inner.items() if isinstance(value, Tensor)}


def _config_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of torch's tells of its network beside the tensors."""
    config = content.get("model_config", content.get("args", {}))
    if isinstance(config, argparse.Namespace):
        return vars(config)
    return config if isinstance(config, dict) else {}


def _read_safetensors(path: Path) -> Weights:
    tensors, metadata = open_safetensors(path)
    if METADATA_KEY in metadata:
        return Weights(path, _described(path, metadata[METADATA_KEY]), tensors)
    has_config = (path.parent / "config.json").is_file()
    config = read_config(path.parent) if has_config else {}
    known = from_published(tensors, config, path)
    if known is not None:
        return known
    if has_config:
        return _read_folder(path.parent)
    raise wrong_file(
        path,
        "a safetensors file without a description of its network and of no family known by its "
        f"tensors ({pairwise.listed(tensors)})",
    )


def _described(path: Path, text: str) -> Any:
    try:
        values = json.loads(text)
        kind = values.pop(KIND, None) if isinstance(values, dict) else None
        if kind is None:
            return NetworkDescription.from_json(text)
        family = family_of_kind(kind)
        if family is None:
            raise ValueError(f"networks of kind {kind!r} are unknown here")
        return from_values(family.description, values)
    except (ValueError, TypeError, LookupError) as error:
        raise wrong_file(path, f"a safetensors file of another version ({error})") from error


def _read_folder(folder: Path) -> Weights:
    named = [folder / name for name in _TORCH_NAMES if (folder / name).is_file()]
    if named and not (folder / "model.safetensors").is_file():
        return _read_torch(named[0])
    config = read_config(folder)
    tensors: dict[str, Tensor] = {}
    is_pairwise = "enc_num_heads" in config
    if not is_pairwise and not any(folder.glob("model.safetensors*")):
        raise _other_model(folder)
    for shard in shards(folder):
        kind_of(shard)
        tensors.update(open_safetensors(shard)[0])
    known = from_published(tensors, config, folder)
    if known is not None:
        return known
    if is_pairwise:
        return Weights(folder, *pairwise.read_published(folder, config, tensors))
    raise _other_model(folder)


def _other_model(folder: Path) -> Exception:
    return wrong_file(
        folder,
        "a folder of some other model (config.json has no enc_num_heads, and its tensors are those "
        "of no family known here)",
    )
