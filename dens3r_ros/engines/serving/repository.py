# SPDX-License-Identifier: Apache-2.0
"""A Triton model repository of one network, for servers that are there already.

Its model is a Python backend around an exported network or a checkpoint, both of which lie in the
version's folder: encoder, decoder and the kept features must be in one process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dens3r_ros.engines.serving.service import CACHE_BYTES

SETTINGS = "served.json"
BESIDE = "network"
"""Folder of the version's that holds the network, where it came along."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MODEL = '''# SPDX-License-Identifier: Apache-2.0
"""Answers calls of dens3r_ros with the network that lies beside this file."""

import os
import sys

# The Python inside Triton does not read this variable by itself.
sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))

from dens3r_ros.engines.serving.python_backend import TritonPythonModel  # noqa: E402, F401
'''


@dataclass(frozen=True)
class RepositoryConfig:
    """How Triton runs the model.

    name       of the model in the repository
    instances  copies; each keeps features of its own, so more than one a card gains little
    most       calls that Triton gives to the engine at once
    wait_us    microseconds that a call may wait for company; with 0 and two calls on their way some
               waited for half a second with Triton 2.51
    queue      calls that may wait
    gpu        whether copies belong to GPUs
    """

    name: str
    instances: int = 1
    most: int = 32
    wait_us: int = 1000
    queue: int = 256
    gpu: bool = False


@dataclass(frozen=True)
class ServedNetwork:
    """What the Python backend loads.

    model        path, name of the model store, or random:NAME; empty is what lies beside the
                 settings
    device       of the engine: auto, cpu, cuda, cuda:1
    precision    auto, fp32, bf16, fp16, int8
    max_side     long side of images, 0 as the network wants
    cache_bytes  of features that are kept
    """

    model: str = ""
    device: str = "auto"
    precision: str = "auto"
    max_side: int = 0
    cache_bytes: int = CACHE_BYTES


def write_repository(
    folder: Path,
    config: RepositoryConfig,
    network: ServedNetwork,
    fill: Callable[[Path], None] = lambda folder: None,
    version: int = 0,
) -> Path:
    """Write a version's folder, the next one unless a number is given; `fill` puts the network
    into the folder it is handed, where that is not named by `network`. What is there of other
    versions stays; the new one appears only when complete."""
    if not _NAME.fullmatch(config.name):
        raise ValueError(
            f"{config.name!r} cannot be a model's name in Triton: letters, digits, dot, dash and"
            " underscore are allowed"
        )
    model = folder / config.name
    target = model / str(version or _newest(model) + 1)
    if target.exists():
        raise ValueError(f"{target} is there already: name another version, or remove it")
    work = folder / f".{config.name}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        fill(work / BESIDE)
        (work / "model.py").write_text(_MODEL, encoding="utf-8")
        settings = json.dumps(asdict(network), indent=2)
        (work / SETTINGS).write_text(settings + "\n", encoding="utf-8")
        model.mkdir(exist_ok=True)
        (model / "config.pbtxt").write_text(config_text(config), encoding="utf-8")
        os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _newest(model: Path) -> int:
    if not model.is_dir():
        return 0
    return max((int(one.name) for one in model.iterdir() if one.name.isdecimal()), default=0)


def config_text(config: RepositoryConfig) -> str:
    """The model's config.pbtxt."""
    kind = "KIND_GPU" if config.gpu else "KIND_CPU"
    return f"""name: "{config.name}"
backend: "python"
max_batch_size: {config.most}
input [
  {{ name: "call" data_type: TYPE_STRING dims: [ 1 ] }},
  {{ name: "data" data_type: TYPE_STRING dims: [ 1 ] }}
]
output [
  {{ name: "answer" data_type: TYPE_STRING dims: [ 1 ] }},
  {{ name: "data" data_type: TYPE_STRING dims: [ 1 ] }}
]
dynamic_batching {{
  max_queue_delay_microseconds: {config.wait_us}
  default_queue_policy {{ max_queue_size: {config.queue} }}
}}
instance_group [ {{ count: {config.instances} kind: {kind} }} ]
version_policy {{ latest {{ num_versions: 1 }} }}
"""
