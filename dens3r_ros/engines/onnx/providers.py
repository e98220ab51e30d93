# SPDX-License-Identifier: Apache-2.0
"""Which hardware onnxruntime runs on: TensorRT, then CUDA, then the CPU, as present."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dens3r_ros.engines.onnx.manifest import ExportManifest, Part
from dens3r_ros.model_store.places import cache_dir

logger = logging.getLogger(__name__)

TENSORRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))
MAX_BATCH = 8
"""The largest batch that TensorRT plans for; larger ones make it build again."""
Provider = tuple[str, dict[str, Any]]


def choose_providers(device: str, present: Sequence[str]) -> list[str]:
    """The providers to try, best first; a wish that cannot be met is warned about."""
    kind, _, _ = device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device {device!r} is none of auto, cpu, cuda, cuda:1, ...")
    if kind == "cpu":
        return [CPU]
    accelerated = [name for name in (TENSORRT, CUDA) if name in present]
    if kind == "cuda" and not accelerated:
        logger.warning(
            "device %s is asked for, but this onnxruntime has only %s: running on the CPU;"
            " onnxruntime-gpu has the CUDA and TensorRT providers",
            device,
            ", ".join(present),
        )
    return [*accelerated, CPU]


def with_options(
    names: Sequence[str], manifest: ExportManifest, part: Part, device: str
) -> list[Provider]:
    """Each provider with its options for one part of a network."""
    index = int(device.partition(":")[2] or 0)
    options: dict[str, dict[str, Any]] = {
        TENSORRT: _tensorrt_options(manifest, part, index),
        CUDA: {"device_id": index},
        CPU: {},
    }
    return [(name, options[name]) for name in names]


def _tensorrt_options(manifest: ExportManifest, part: Part, index: int) -> dict[str, Any]:
    def profile(batch: int) -> str:
        shapes = {name: (batch, *shape) for name, shape in part.inputs.items()}
        return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())

    return {
        "device_id": index,
        "trt_fp16_enable": manifest.precision == "fp16",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(engine_cache(manifest, index)),
        "trt_timing_cache_enable": True,
        "trt_profile_min_shapes": profile(1),
        "trt_profile_opt_shapes": profile(1),
        "trt_profile_max_shapes": profile(MAX_BATCH),
    }


def engine_cache(manifest: ExportManifest, index: int = 0) -> Path:
    """The folder of built engines for these weights, size, precision, device and libraries."""
    key = {
        "weights": manifest.weights,
        "size": manifest.size,
        "precision": manifest.precision,
        "batch": MAX_BATCH,
        "device": _device_name(index),
        **_versions(),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return cache_dir() / "engines" / digest


def _device_name(index: int) -> str:
    import torch

    return torch.cuda.get_device_name(index) if torch.cuda.is_available() else "unknown"


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-cu12", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def announce_build(names: Sequence[str], cache: Path) -> None:
    """Say beforehand why the first start takes long, and make the cache's folder."""
    if TENSORRT not in names:
        return
    if not cache.is_dir() or not any(cache.iterdir()):
        logger.warning("TensorRT builds its engines for this network; it takes minutes, once")
    cache.mkdir(parents=True, exist_ok=True)
