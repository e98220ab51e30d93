# SPDX-License-Identifier: Apache-2.0
"""Where a network runs, and in which number type."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from dens3r_ros.engines.cpu.int8 import int8_works

PRECISIONS = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.int8,
}


def choose_device(device: str) -> torch.device:
    """The device of that name; "auto" is the first CUDA device, or else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {device!r} is asked for, but this PyTorch ({torch.__version__}) sees no CUDA"
            " device; use device cpu or auto, or install a CUDA build of PyTorch and its driver"
        )
    return chosen


def choose_precision(precision: str, device: torch.device, int8: bool = True) -> torch.dtype:
    """The type of the backbone's linear layers; "auto" is bf16 where the device computes in it.

    ValueError where it is not to be had, or is int8 and the network is not one that has `int8`.
    """
    if precision == "auto":
        return torch.bfloat16 if _computes_bf16(device) else torch.float32
    if precision not in PRECISIONS:
        known = ", ".join(("auto", *PRECISIONS))
        raise ValueError(f"precision {precision!r} is not one of {known}")
    if precision == "int8":
        _check_int8(device, int8)
    return PRECISIONS[precision]


def _check_int8(device: torch.device, known: bool) -> None:
    if not known:
        raise ValueError("precision int8 is for networks of many views alone; take bf16 or fp32")
    if device.type != "cpu":
        raise ValueError(f"precision int8 is for CPUs, not for {device.type}; take bf16 or fp16")
    if not (has_cpu_flag("avx512_vnni", "avx_vnni") and int8_works()):
        raise ValueError(
            "precision int8 needs a CPU with avx512_vnni or avx_vnni, and a PyTorch with oneDNN's"
            " kernels for it; take bf16 or fp32"
        )


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_computes_bf16()


def cpu_computes_bf16() -> bool:
    """Whether this CPU has instructions for bf16 products, and PyTorch kernels that use them."""
    flags = {"x86_64": ("avx512_bf16", "amx_bf16"), "aarch64": ("bf16",)}
    wanted = flags.get(platform.machine(), ())
    return torch.backends.mkldnn.is_available() and has_cpu_flag(*wanted)


def has_cpu_flag(*names: str) -> bool:
    """Whether the kernel lists one of these features for the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    listed = (line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Feat")))
    return not set(next(listed, [])).isdisjoint(names)
