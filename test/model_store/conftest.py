# SPDX-License-Identifier: Apache-2.0
"""A server and a model on it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest
from bad_server import CONTENT, BadServer

from dens3r_ros.model_store.manifest import Licence, ModelEntry


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def entry(server: BadServer) -> ModelEntry:
    return ModelEntry(
        name="thing",
        family="test",
        description="",
        licence=Licence("L", "L", "", ""),
        file="thing.pth",
        url=f"http://127.0.0.1:{server.server_port}/thing.pth",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
