# SPDX-License-Identifier: Apache-2.0
"""Reset, pause, save and load, answered without stopping the images meanwhile."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any

import rclpy.task
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.session import NodeSession


class Services:
    """The node's services; what takes long runs on the worker and is awaited."""

    def __init__(self, node: Node, session: NodeSession) -> None:
        self._node, self._session = node, session
        self._services = [
            node.create_service(Trigger, "~/reset", self._reset),
            node.create_service(SetBool, "~/pause", self._pause),
        ]
        if interfaces.services is not None:
            kinds = interfaces.services
            self._services += [
                node.create_service(kinds.SaveMap, "~/save_map", self._save),
                node.create_service(kinds.LoadMap, "~/load_map", self._load),
            ]

    def destroy(self) -> None:
        """Withdraw the services."""
        for service in self._services:
            self._node.destroy_service(service)

    async def _reset(self, _: Any, response: Any) -> Any:
        await self._finished(self._session.reset())
        response.success, response.message = True, "the map is empty, a new epoch begins"
        return response

    def _pause(self, request: Any, response: Any) -> Any:
        self._session.paused = request.data
        response.success = True
        response.message = "images are dropped" if request.data else "images are processed"
        return response

    async def _save(self, request: Any, response: Any) -> Any:
        path = Path(request.path).expanduser()
        if await self._done(self._session.save(path), response, f"saved to {path}"):
            response.bytes = path.stat().st_size
        return response

    async def _load(self, request: Any, response: Any) -> Any:
        path = Path(request.path).expanduser()
        if await self._done(self._session.load(path), response, f"loaded from {path}"):
            response.epoch = self._session.epoch()
        return response

    async def _done(self, work: concurrent.futures.Future[int], response: Any, done: str) -> bool:
        try:
            keyframes = await self._finished(work)
        except (OSError, ValueError) as error:
            response.success, response.message = False, str(error)
            return False
        response.success, response.message = True, f"{keyframes} keyframes {done}"
        response.keyframes = keyframes
        return True

    async def _finished(self, work: concurrent.futures.Future[Any]) -> Any:
        """Wait for the worker without holding up the executor."""
        done: rclpy.task.Future = rclpy.task.Future(executor=self._node.executor)
        work.add_done_callback(lambda _: done.set_result(None))
        await done
        return work.result()
