# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: cameras in, geometry out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.reporting import Reporting
from dens3r_ros.nodes.services import Services
from dens3r_ros.nodes.session import NodeSession
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.settings.parameters import Parameters
from dens3r_ros.nodes.starting.engine_loading import EngineUnavailable, Interrupted, load_beside

CLOSE_WITHIN_S = 1.2
_SUCCESS = TransitionCallbackReturn.SUCCESS
_FAILURE = TransitionCallbackReturn.FAILURE


class Dens3rNode(LifecycleNode):
    """configure loads, activate listens, deactivate stops, cleanup frees."""

    def __init__(self, stopping: Callable[[], bool] = lambda: False, **kwargs: Any) -> None:
        super().__init__("dens3r", **kwargs)
        self._stopping = stopping
        self._session: NodeSession | None = None
        self._attached: list[Any] = []
        self._timers_of_session: list[Any] = []
        self._settings = Parameters(self, self._on_live_change)
        if interfaces.messages is None:
            self.get_logger().warning(interfaces.MISSING_INTERFACES)

    @property
    def config(self) -> NodeConfig:
        """The parameters as they stand."""
        return self._settings.config

    @property
    def failed(self) -> bool:
        """Whether only a new process can go on."""
        return self._session is not None and self._session.beyond_recovery

    def start(self) -> bool:
        """Configure and activate, where parameters ask for it; whether that went well."""
        if not self.config.autostart:
            return True
        return self.trigger_configure() == _SUCCESS and self.trigger_activate() == _SUCCESS

    def close(self) -> None:
        """Leave from any state, within little more than a second."""
        self._free()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Validate the parameters, load the engine, announce the outputs."""
        found = self._settings.check()
        if found:
            self.get_logger().error("cannot configure: " + "; ".join(found))
            return _FAILURE
        try:
            engine = load_beside(self.config.engine, self._stopping)
            self._session = NodeSession(self, self.config, engine)
        except (EngineUnavailable, TransformUnknown) as error:
            self.get_logger().error(f"cannot configure: {error}")
            return _FAILURE
        except Interrupted:
            return _FAILURE
        self._attach(self._session)
        return _SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        if self._session is not None:
            self._session.activate()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the map stays."""
        if self._session is not None:
            self._session.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free engine, map and topics."""
        self._free()
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free what there is, from any state."""
        self._free()
        return _SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition raised: free what there is, so that configuring again can succeed."""
        self._free()
        return _SUCCESS

    def _attach(self, session: NodeSession) -> None:
        """What answers for the session while it lasts."""
        reporting = Reporting(self, session)
        self._attached = [Services(self, session), reporting]
        self._timers_of_session = [
            self.create_timer(1.0, reporting.publish),
            self.create_timer(1.0 / self.config.output.map_rate, session.publish_map),
        ]
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=False
            ),
            post_callback=lambda _: session.reset(),
        )
        self._settings.locked = True

    def _free(self) -> None:
        for timer in self._timers_of_session:
            self.destroy_timer(timer)
        for part in self._attached:
            part.destroy()
        self._timers_of_session, self._attached = [], []
        if self._session is not None:
            self._jump.unregister()
            if not self._session.close(CLOSE_WITHIN_S):
                self.get_logger().warning("a frame is still being processed: leaving without it")
            self._session = None
        self._settings.locked = False

    def _on_live_change(self, config: NodeConfig) -> None:
        if self._session is not None:
            self._session.config = config
