# SPDX-License-Identifier: Apache-2.0
"""Topics that say again to each newcomer what they said last: not every viewer asks for what was
latched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nav_msgs.msg import OccupancyGrid
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Header

from dens3r_ros.mapping.occupancy.change import PlanChange, change_of
from dens3r_ros.mapping.occupancy.occupancy import Plan
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.qos import GRID_UPDATES, LATCHED
from dens3r_ros.nodes.outputs.occupancy import grid_message, update_message
from dens3r_ros.nodes.outputs.outlet import Outlet


class LatchedTopic:
    """Its message goes out once for each state of what it shows, and again for each newcomer."""

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self.publisher: Publisher = node.create_publisher(kind, name, LATCHED)
        self._shown: object = None
        self._listeners = 0

    def has_newcomers(self) -> bool:
        """Whether somebody came since the last message."""
        listeners = self.publisher.get_subscription_count()
        came = listeners > self._listeners
        self._listeners = min(listeners, self._listeners)
        return came

    def show(self, state: object, make: Callable[[], Any], outlet: Outlet) -> None:
        """Publish what `make` gives, where somebody listens who has not got this state."""
        listeners = self.publisher.get_subscription_count()
        if not listeners or (listeners <= self._listeners and state == self._shown):
            return
        message = make()
        if outlet.send(lambda: self.publisher.publish(message)):
            self._listeners, self._shown = listeners, state

    def destroy(self, node: Node) -> None:
        """Withdraw it."""
        node.destroy_publisher(self.publisher)


class GridTopic(LatchedTopic):
    """A floor plan. Where map_msgs is there, and all who listen also listen to `NAME_updates`, what
    changes within the bounds of the last whole plan goes out there alone."""

    def __init__(self, node: Node, name: str) -> None:
        super().__init__(node, OccupancyGrid, name)
        self._updates: Publisher | None = None
        if interfaces.map_messages is not None:
            kind = interfaces.map_messages.OccupancyGridUpdate
            self._updates = node.create_publisher(kind, f"{name}_updates", GRID_UPDATES)
        self._known: Plan | None = None
        """The plan as all listeners have it."""

    def show_plan(
        self, state: object, draw: Callable[[], Plan], header: Header, outlet: Outlet
    ) -> None:
        """Publish what `draw` gives, or what of it is new, where somebody listens who has not got
        this state."""
        listeners = self.publisher.get_subscription_count()
        all_know = listeners <= self._listeners
        if not listeners or (all_know and state == self._shown):
            return
        plan = draw()
        change = change_of(self._known, plan) if all_know and self._known is not None else None
        if self._updates is None or self._updates.get_subscription_count() < listeners:
            change = None
        sent = outlet.send(lambda: self._publish(plan, change, header))
        if sent:
            self._listeners, self._shown = listeners, state

    def _publish(self, plan: Plan, change: PlanChange | None, header: Header) -> None:
        if change is None or self._known is None or self._updates is None:
            self.publisher.publish(grid_message(plan, header))
            self._known = plan
        elif change.cells.size:
            self._updates.publish(update_message(change, header))
            self._known = change.applied(self._known)

    def destroy(self, node: Node) -> None:
        """Withdraw both."""
        super().destroy(node)
        if self._updates is not None:
            node.destroy_publisher(self._updates)
