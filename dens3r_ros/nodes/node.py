# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: cameras in, geometry out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from typing import Any, cast

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.nodes.awaiting import settled
from dens3r_ros.nodes.introduction import introduction
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.reporting import Reporting
from dens3r_ros.nodes.services import Services
from dens3r_ros.nodes.session import NodeSession
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.settings.parameters import Parameters
from dens3r_ros.nodes.starting.engine_loading import EngineUnavailable, begin_loading

CLOSE_WITHIN_S = 1.2
_SUCCESS = TransitionCallbackReturn.SUCCESS
_FAILURE = TransitionCallbackReturn.FAILURE


_Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def _told(transition: _Transition) -> _Transition:
    """Say in the log what a transition raised, of which rclpy says nothing."""

    @wraps(transition)
    def watched(self: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception as error:
            self.get_logger().error("".join(traceback.format_exception(error)))
            raise

    return watched


class Dens3rNode(LifecycleNode):
    """configure loads, activate listens, deactivate stops, cleanup frees.

    A transition holds the executor up from its begin to its end, so the engine is loaded before
    `configure` begins: until then the node is unconfigured, and answers.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("dens3r", **kwargs)
        self._not_started = self._shut_down = False
        self._session: NodeSession | None = None
        self._reporting: Reporting | None = None
        self._loading: Future[Engine] | None = None
        self._map_timer: Timer | None = None
        self._status_timer: Timer | None = None
        # These go on while simulated time stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._patient = ReentrantCallbackGroup()
        self._settings = Parameters(self, self._on_live_change)
        self._serving = self._answering()
        if interfaces.messages is None:
            self.get_logger().warning(interfaces.MISSING_INTERFACES)
        if self.config.autostart:
            start = cast(Callable[[], None], self._start)  # rclpy awaits what needs it
            self._starter = self.create_timer(
                0.0, start, callback_group=self._patient, clock=self._steady
            )

    @property
    def config(self) -> NodeConfig:
        """The parameters as they stand."""
        return self._settings.config

    @property
    def failed(self) -> bool:
        """Whether only a new process can go on."""
        lost = self._session is not None and self._session.faults.beyond_recovery
        return self._not_started or lost

    def close(self) -> None:
        """Leave from any state, within little more than a second."""
        if self.failed and self._reporting is not None:
            self._reporting.publish()
        self._free()

    async def _start(self) -> None:
        """Configure and activate; the process ends where that fails."""
        self.destroy_timer(self._starter)
        await self._load_engine()
        if self._shut_down:
            return
        ready = self._session is not None or self.trigger_configure() == _SUCCESS
        if ready and self._session is not None and self._session.intake is None:
            ready = self.trigger_activate() == _SUCCESS
        self._not_started = not ready

    def _answering(self) -> Services:
        """The node's services; that of transitions waits for the engine as they wait."""
        for service in self.services:
            if service.srv_type is ChangeState:
                self._change_state = service.callback
                service.callback = self._on_change_state
                self._patient.add_entity(service)
                service.callback_group = self._patient
        return Services(self, lambda: self._session)

    async def _on_change_state(self, request: Any, response: Any) -> Any:
        wanted = request.transition
        if wanted.label == "configure" or (
            not wanted.label and wanted.id == Transition.TRANSITION_CONFIGURE
        ):
            await self._load_engine()
        return self._change_state(request, response)

    async def _load_engine(self) -> None:
        """Wait until the engine that the parameters name is loaded, or cannot be."""
        if self._loading is None and self._session is None and not self._settings.check():
            self._settings.locked = True
            self._loading = begin_loading(self.config.engine, self.config.remote)
        if self._loading is not None:
            # on_configure reads what has come of it.
            await settled(self, self._loading)

    @_told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Validate the parameters, take the engine, announce the outputs."""
        found = self._settings.check()
        if found:
            self.get_logger().error("cannot configure: " + "; ".join(found))
            return _FAILURE
        loading = self._loading or begin_loading(self.config.engine, self.config.remote)
        self._loading = None
        try:
            engine = loading.result()
            self._session = NodeSession(self, self.config.in_tree(), engine)
        except (EngineUnavailable, TransformUnknown) as error:
            self.get_logger().error(f"cannot configure: {error}")
            self._settings.locked = False
            return _FAILURE
        self.get_logger().info(introduction(engine.info, self.config))
        self._attach(self._session)
        return _SUCCESS

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        if self._session is not None:
            self._session.activate()
        return super().on_activate(state)

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the map stays."""
        if self._session is not None:
            self._session.deactivate()
        return super().on_deactivate(state)

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free engine, map and topics."""
        self._free()
        return _SUCCESS

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free what there is, from any state."""
        self._shut_down = True
        self._free()
        return _SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition raised: free what there is, so that configuring again can succeed."""
        self._free()
        return _SUCCESS

    def _attach(self, session: NodeSession) -> None:
        """What answers for the session while it lasts."""
        self._reporting = Reporting(self, session)
        self._status_timer = self.create_timer(1.0, self._reporting.publish, clock=self._steady)
        self._pace_map()
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=False
            ),
            post_callback=lambda _: session.time_went_back(),
        )
        self._settings.locked = True

    def _pace_map(self) -> None:
        """Publish the map as often as the parameters allow, from now on."""
        if self._map_timer is not None:
            self.destroy_timer(self._map_timer)
        if self._session is not None:
            period = 1.0 / self.config.output.map_rate
            self._map_timer = self.create_timer(
                period, self._session.publish_map, clock=self._steady
            )

    def _free(self) -> None:
        for timer in (self._status_timer, self._map_timer):
            if timer is not None:
                self.destroy_timer(timer)
        self._status_timer = self._map_timer = None
        if self._reporting is not None:
            self._reporting.destroy()
            self._reporting = None
        if self._session is not None:
            self._jump.unregister()
            if not self._session.close(CLOSE_WITHIN_S):
                self.get_logger().warning("a frame is still being processed: leaving without it")
            self._session = None
        self._settings.locked = False

    def _on_live_change(self, config: NodeConfig) -> None:
        if self._session is not None:
            rate = self._session.config.output.map_rate
            self._session.change(config.in_tree())
            if config.output.map_rate != rate:
                self._pace_map()
