# SPDX-License-Identifier: Apache-2.0
"""What tests with NVIDIA's own server share; its name is also that of a compiler."""

from __future__ import annotations

import pytest

from dens3r_ros.engines.serving.environment import server_python

NEEDS_TRITON = [
    pytest.mark.slow,
    pytest.mark.skipif(
        server_python() is None,
        reason="Triton is not installed: run make server, or name its"
        " environment by DENS3R_SERVER_VENV",
    ),
]
