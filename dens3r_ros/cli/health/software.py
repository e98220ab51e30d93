# SPDX-License-Identifier: Apache-2.0
"""Python, torch, onnxruntime, OpenCV and the other packages."""

from __future__ import annotations

import sys
from typing import Any

from dens3r_ros.cli.health.finding import Finding, error, load, ok, version_of, warning

OLDEST_PYTHON = (3, 10)
INSTALL = "make setup in a checkout, or: pip install dens3r_ros"
NEEDED = ["numpy", "scipy", "yaml", "PIL", "safetensors", "poselib", "gtsam", "typer", "rich"]


def look_at_python() -> list[Finding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    where = f"{version} at {sys.executable or 'an unknown place'}"
    if sys.prefix != sys.base_prefix:
        where += f", virtual environment {sys.prefix}"
    if sys.version_info < OLDEST_PYTHON:
        return [error("Python", where, "Python 3.10 or newer is needed")]
    return [ok("Python", where)]


def look_at_torch() -> list[Finding]:
    """PyTorch and what it computes on."""
    torch: Any = load("torch")
    if isinstance(torch, str):
        return [error("PyTorch", f"does not load ({torch})", INSTALL)]
    return [ok("PyTorch", version_of(torch)), _cuda(torch)]


def _cuda(torch: Any) -> Finding:
    if torch.version.cuda is None:
        return ok("CUDA", "this build of PyTorch has none: networks run on the CPU")
    if not torch.cuda.is_available():
        fix = "with an NVIDIA GPU in this machine: install its driver, see what nvidia-smi says"
        return warning("CUDA", f"PyTorch is built for CUDA {torch.version.cuda}, no device", fix)
    try:
        devices = [_device(torch, number) for number in range(torch.cuda.device_count())]
    except RuntimeError as problem:
        fix = "reboot or reload the driver; see what nvidia-smi says"
        return error("CUDA", f"the device does not answer ({problem})".splitlines()[0], fix)
    return ok("CUDA", "; ".join(devices))


def _device(torch: Any, number: int) -> str:
    free, total = torch.cuda.mem_get_info(number)
    name = torch.cuda.get_device_name(number)
    return f"cuda:{number} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def look_at_onnxruntime() -> list[Finding]:
    """onnxruntime and its providers."""
    onnxruntime: Any = load("onnxruntime")
    if isinstance(onnxruntime, str):
        fix = "only for the onnx engine: pip install onnx onnxruntime (or onnxruntime-gpu)"
        return [warning("onnxruntime", f"does not load ({onnxruntime})", fix)]
    providers = ", ".join(p.removesuffix("ExecutionProvider") for p in _providers(onnxruntime))
    return [ok("onnxruntime", f"{version_of(onnxruntime)}, providers: {providers}")]


def _providers(onnxruntime: Any) -> list[str]:
    return list(onnxruntime.get_available_providers())


def look_at_opencv() -> list[Finding]:
    """OpenCV."""
    cv2 = load("cv2")
    if isinstance(cv2, str):
        fix = "pip install opencv-python-headless (an error of NumPy: both must fit each other)"
        return [error("OpenCV", f"does not load ({cv2})", fix)]
    return [ok("OpenCV", version_of(cv2))]


def look_at_packages() -> list[Finding]:
    """What else dens3r_ros needs, on one line where all is well."""
    loaded = {name: load(name) for name in NEEDED}
    missing = {name: why for name, why in loaded.items() if isinstance(why, str)}
    if missing:
        return [error(name, f"does not load ({why})", INSTALL) for name, why in missing.items()]
    numpy: Any = loaded["numpy"]
    return [ok("packages", f"NumPy {numpy.__version__} and all others load")]
