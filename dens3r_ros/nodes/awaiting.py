# SPDX-License-Identifier: Apache-2.0
"""Waiting in a callback for work on another thread, without holding up the executor."""

from __future__ import annotations

import concurrent.futures
from typing import TypeVar

import rclpy.task
from rclpy.node import Node

T = TypeVar("T")


async def settled(node: Node, work: concurrent.futures.Future[T]) -> None:
    """Wait for the end of some work, however it ends."""
    done: rclpy.task.Future = rclpy.task.Future(executor=node.executor)
    work.add_done_callback(lambda _: done.set_result(None))
    await done


async def finished(node: Node, work: concurrent.futures.Future[T]) -> T:
    """The result of some work, or its exception."""
    await settled(node, work)
    return work.result()
