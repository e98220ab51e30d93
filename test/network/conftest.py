# SPDX-License-Identifier: Apache-2.0
"""Published networks for the tests of all families but the pairwise one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest
from published_views import Published


@pytest.fixture(scope="module")
def published() -> Callable[[str], Published]:
    """By the name of a fixture file; built once for the tests of a module."""
    return lru_cache(maxsize=1)(Published)
