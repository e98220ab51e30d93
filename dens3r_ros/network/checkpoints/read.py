# SPDX-License-Identifier: Apache-2.0
"""Reads any file of weights into a description and named tensors, mapped rather than copied."""

from __future__ import annotations

import argparse
import json
import logging
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dens3r_ros.network.checkpoints.errors import EXPECTED, WeightsError, wrong_file
from dens3r_ros.network.checkpoints.sniff import kind_of
from dens3r_ros.network.pairwise.constructor import parse_constructor
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.pairwise.keys import canonical, is_unused, own_name
from dens3r_ros.network.pairwise.published import CLASSES, describe_published

# What torch raises, by way of its pickle and zip readers, on files with bytes changed.
_DAMAGE = (
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    zipfile.BadZipFile,
)
METADATA_KEY = "dens3r_ros.network"
_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Weights:
    """A network on disk: what it is, and its tensors by our names."""

    path: Path
    description: NetworkDescription
    tensors: dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """Read a file or folder of weights; raises WeightsError on anything else."""
    if path.is_dir():
        return _read_folder(path)
    if kind_of(path) == "torch":
        return _read_torch(path)
    return _read_safetensors(path)


def _read_torch(path: Path) -> Weights:
    content = _unpickle(path)
    arguments = _constructor_arguments(path, content)
    return published_weights(path, arguments, content["model"])


def _unpickle(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", mmap=_is_zip(path), weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except _DAMAGE as error:
        raise wrong_file(path, f"a damaged file of torch ({_first_line(error)})") from error
    if not isinstance(content, dict):
        raise wrong_file(path, f"a {type(content).__name__} saved by torch")
    return content


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _refused(path: Path, error: Exception) -> WeightsError:
    wanted = re.search(r"GLOBAL (\S+)", str(error))
    if wanted:
        return WeightsError(
            f"{path}: refused, because reading it would call {wanted[1]}; a checkpoint needs "
            "tensors, plain values and argparse.Namespace only."
        )
    return wrong_file(path, f"a damaged or foreign pickle ({_first_line(error)})")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]


def _constructor_arguments(path: Path, content: dict[str, Any]) -> dict[str, Any]:
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


def _foreign_content(content: dict[str, Any]) -> str | None:
    """What a dictionary saved by torch is, where it is no official checkpoint."""
    if "dune_backbone_name" in content:
        return "a DUNE checkpoint, whose encoder is of another family"
    args = content.get("args")
    if not isinstance(content.get("model"), dict):
        tensors = sum(isinstance(value, Tensor) for value in content.values())
        if tensors and tensors == len(content):
            return f"a bare state_dict of {tensors} tensors, without the args that describe them"
        return f"a dictionary saved by torch with the keys {', '.join(map(str, content))[:120]}"
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content["model"].items()):
        return "a checkpoint whose model holds other things than named tensors"
    if not isinstance(args, argparse.Namespace):
        return "a checkpoint without args, which describe its network"
    if hasattr(args, "nclusters"):
        return "a retrieval checkpoint, which has no 3-D heads"
    if not isinstance(getattr(args, "model", None), str):
        return "a checkpoint whose args name no model"
    return None


def published_weights(
    path: Path, arguments: Mapping[str, Any], model: Mapping[str, Tensor]
) -> Weights:
    """What a published checkpoint holds, its constructor's arguments and tensors by their names."""
    tensors = {canonical(key): value for key, value in model.items()}
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    try:
        description = describe_published(arguments, shapes)
    except (ValueError, TypeError, LookupError) as error:
        raise wrong_file(path, f"a checkpoint with {error}") from error
    return Weights(path, description, _renamed(path, tensors))


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


def _read_safetensors(path: Path) -> Weights:
    tensors, metadata = _open_safetensors(path)
    if METADATA_KEY not in metadata:
        if (path.parent / "config.json").is_file():
            return _read_folder(path.parent)
        raise wrong_file(path, "a safetensors file without a description of its network")
    try:
        description = NetworkDescription.from_json(metadata[METADATA_KEY])
    except ValueError as error:
        raise wrong_file(path, f"a safetensors file of another version ({error})") from error
    return Weights(path, description, tensors)


def _open_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise wrong_file(path, f"a damaged or truncated safetensors file ({error})") from error


def _read_folder(folder: Path) -> Weights:
    config = folder / "config.json"
    if not config.is_file():
        raise wrong_file(folder, "a folder without config.json")
    try:
        arguments = json.loads(config.read_text())
    except ValueError as error:
        raise wrong_file(config, f"damaged JSON ({error})") from error
    if not isinstance(arguments, dict) or "enc_num_heads" not in arguments:
        raise wrong_file(folder, "a folder of some other model (config.json has no enc_num_heads)")
    tensors: dict[str, Tensor] = {}
    for shard in _shards(folder):
        kind_of(shard)
        tensors.update(_open_safetensors(shard)[0])
    return published_weights(folder, arguments, tensors)


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        names = ["model.safetensors"]
    else:
        try:
            names = sorted(
                {Path(name).name for name in json.loads(index.read_text())["weight_map"].values()}
            )
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise wrong_file(index, "a damaged list of shards") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise wrong_file(folder, f"an incomplete folder: {', '.join(missing)} missing", EXPECTED)
    return [folder / name for name in names]
