# SPDX-License-Identifier: Apache-2.0
"""Reset, pause, save, load and localize, answered without stopping anything else meanwhile."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from dens3r_ros.nodes.awaiting import finished
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.session import NodeSession

Handler = Callable[[NodeSession, Any, Any], Coroutine[Any, Any, None]]
"""(session, request, response): fills the response, or raises why it cannot."""
_NOT_CONFIGURED = "the node is not configured: configure it first"
_EXPECTED = (OSError, ValueError)


class Services:
    """The node's services, in a group of their own: what takes long is awaited, and meanwhile
    images, timers, parameters and other requests have their turn."""

    def __init__(self, node: Node, session: Callable[[], NodeSession | None]) -> None:
        self._node, self._session = node, session
        self._group = ReentrantCallbackGroup()
        self._serve(Trigger, "~/reset", self._reset)
        self._serve(SetBool, "~/pause", self._pause)
        if interfaces.services is not None:
            self._serve(interfaces.services.SaveMap, "~/save_map", self._save)
            self._serve(interfaces.services.LoadMap, "~/load_map", self._load)
            self._serve(interfaces.services.Localize, "~/localize", self._localize)

    def _serve(self, kind: Any, name: str, handler: Handler) -> None:
        async def answer(request: Any, response: Any) -> Any:
            try:
                session = self._session()
                if session is None:
                    raise ValueError(_NOT_CONFIGURED)
                await handler(session, request, response)
                response.success = True
            except Exception as error:
                response.success, response.message = False, self._reason(name, error)
            return response

        self._node.create_service(kind, name, answer, callback_group=self._group)

    def _reason(self, name: str, error: Exception) -> str:
        """What the caller is told; an error of ours is told in the log too."""
        if isinstance(error, _EXPECTED):
            return str(error)
        self._node.get_logger().error(
            f"{name} failed: " + "".join(traceback.format_exception(error))
        )
        return f"{type(error).__name__}: {error}"

    async def _reset(self, session: NodeSession, _: Any, response: Any) -> None:
        await finished(self._node, session.reset())
        response.message = "the map is empty, a new epoch begins"

    async def _pause(self, session: NodeSession, request: Any, response: Any) -> None:
        session.paused = request.data
        response.message = "images are dropped" if request.data else "images are processed"

    async def _save(self, session: NodeSession, request: Any, response: Any) -> None:
        stored = await finished(self._node, session.maps.save(request.path))
        response.keyframes, response.bytes = stored.keyframes, stored.bytes
        response.message = f"{stored.keyframes} keyframes saved to {stored.path}"

    async def _load(self, session: NodeSession, request: Any, response: Any) -> None:
        stored = await finished(self._node, session.maps.load(request.path))
        response.keyframes, response.epoch = stored.keyframes, stored.epoch
        response.message = f"{stored.keyframes} keyframes loaded from {stored.path}"

    async def _localize(self, session: NodeSession, request: Any, response: Any) -> None:
        (await finished(self._node, session.photos.place(request))).fill(request, response)
