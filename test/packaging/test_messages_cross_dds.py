# SPDX-License-Identifier: Apache-2.0
"""What is watched on a fleet comes over the wire: every field must arrive as it was sent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dds_domain import domain_for
from message_peer import fill, plain

rclpy = pytest.importorskip("rclpy", reason="no ROS 2 here")
messages = pytest.importorskip("dens3r_ros.msg", reason="the interfaces are not built")
services = pytest.importorskip("dens3r_ros.srv", reason="the interfaces are not built")

ROOT = Path(__file__).parents[2]
MESSAGES = sorted(path.stem for path in ROOT.glob("msg/*.msg"))
SERVICES = sorted(path.stem for path in ROOT.glob("srv/*.srv"))
PATIENCE_S = 60


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    """A node here; its peer is another process, in a DDS domain and namespace of this run."""
    namespace, domain = f"test_{uuid.uuid4().hex}", domain_for(__name__)
    peer = [sys.executable, str(Path(__file__).with_name("message_peer.py")), namespace]
    process = subprocess.Popen(
        [*peer, ",".join(MESSAGES), ",".join(SERVICES)],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    context = rclpy.Context()
    context.init(domain_id=domain)
    node = rclpy.create_node("test", namespace=namespace, context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()
    process.kill()
    process.wait()
    process.stdout.close()


def spin_until(node: Any, done: Callable[[], bool]) -> None:
    executor = rclpy.executors.SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    end = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    executor.remove_node(node)
    assert done(), f"nothing came within {PATIENCE_S} s"


@pytest.mark.parametrize("name", MESSAGES)
def test_message_arrives_whole(node: Any, name: str) -> None:
    from rclpy.qos import QoSDurabilityPolicy, QoSProfile

    kind, received = getattr(messages, name), []
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(kind, name.lower(), received.append, latched)
    spin_until(node, lambda: bool(received))
    assert plain(received[0]) == plain(fill(kind()))


@pytest.mark.parametrize("name", SERVICES)
def test_service_call_goes_there_and_back(node: Any, name: str) -> None:
    kind = getattr(services, name)
    client = node.create_client(kind, name.lower())
    spin_until(node, client.service_is_ready)
    future = client.call_async(fill(kind.Request()))
    spin_until(node, future.done)
    assert plain(future.result()) == plain(fill(kind.Response()))
