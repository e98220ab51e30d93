# SPDX-License-Identifier: Apache-2.0
"""Reads a published codebook, a pickle, without running what it may hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.network.errors import WeightsError

_ALLOWED = {
    (module, name)
    for module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
    for name in ("ndarray", "dtype", "_reconstruct", "scalar")
} | {("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer")}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it would call {module}.{name}")
        return super().find_class(module, name)


def read_codebook(path: Path) -> np.ndarray:
    """(K, D) float32 words; raises WeightsError, saying what is wrong, on anything else."""
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file).load()
        words = np.asarray(content["state"]["centroids"], np.float32)
        size = int(content["params"]["size"])
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: no codebook of retrieval features: {error}") from error
    if words.ndim != 2 or len(words) != size:
        raise WeightsError(f"{path}: a codebook of {size} words, but {words.shape} numbers")
    return words
