# SPDX-License-Identifier: Apache-2.0
"""Opens files of weights, mapped rather than copied, and runs nothing that lies in them."""

from __future__ import annotations

import argparse
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dens3r_ros.network.errors import EXPECTED, WeightsError, wrong_file

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


def open_torch(path: Path) -> dict[str, Any]:
    """What torch saved: a dictionary of tensors, plain values and argparse.Namespace."""
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


def open_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and its metadata."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise wrong_file(path, f"a damaged or truncated safetensors file ({error})") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration that lies in a Hugging Face folder."""
    config = folder / "config.json"
    if not config.is_file():
        raise wrong_file(folder, "a folder without config.json")
    try:
        arguments = json.loads(config.read_text())
    except ValueError as error:
        raise wrong_file(config, f"damaged JSON ({error})") from error
    return arguments if isinstance(arguments, dict) else {}


def shards(folder: Path) -> list[Path]:
    """The safetensors files that a Hugging Face folder's weights are spread over."""
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
