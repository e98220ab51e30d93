# SPDX-License-Identifier: Apache-2.0
"""Where the published code's numbers lie, beside the repository."""

from pathlib import Path

import numpy as np
import pytest
import torch

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


@pytest.fixture
def published():
    """Read one file of the published code's results as tensors."""

    def read(name: str) -> dict[str, torch.Tensor]:
        path = FIXTURES / name
        if not path.exists():
            pytest.skip(f"the published results {path} are not on this machine")
        with np.load(path) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays}

    return read
