# SPDX-License-Identifier: Apache-2.0
"""Two processes of test_grid_updates.py: one publishes floor plans, one has them as Nav2's static
layer has."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile

from dens3r_ros.mapping.occupancy.occupancy import UNKNOWN, Plan

TOPIC = "/dens3r/occupancy"


def plans() -> list[Plan]:
    """Two cells change, nothing does, the plan grows, some of it is forgotten."""
    cells = np.full((30, 40), UNKNOWN, np.int8)
    cells[5:20, 5:30] = 0
    first = Plan(cells, 0.05, np.array([-1.0, 1.0]))
    other = cells.copy()
    other[10, 12], other[25, 35] = 100, 0
    larger = np.pad(other, 6, constant_values=0)
    grown = Plan(larger, 0.05, np.array([-1.3, 0.7]))
    smaller = Plan(larger[10:, 8:], 0.05, np.array([-0.9, 1.2]))
    return [first, Plan(other, 0.05, first.origin), Plan(other, 0.05, first.origin), grown, smaller]


class StaticLayer:
    """Keeps the grid by the rules of nav2_costmap_2d::StaticLayer with `subscribe_to_updates`."""

    def __init__(self, node: rclpy.node.Node) -> None:
        from map_msgs.msg import OccupancyGridUpdate
        from nav_msgs.msg import OccupancyGrid

        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.cells = np.zeros((0, 0), np.int8)
        self._frame = ""
        node.create_subscription(OccupancyGrid, TOPIC, self._whole, latched)
        node.create_subscription(OccupancyGridUpdate, f"{TOPIC}_updates", self._part, 10)

    def _whole(self, grid) -> None:
        self.cells = np.array(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
        self._frame = grid.header.frame_id
        self._tell("whole")

    def _part(self, update) -> None:
        height, width = self.cells.shape
        outside = update.x < 0 or update.x + update.width > width
        if outside or update.y < 0 or update.y + update.height > height:
            return self._tell("ignored: exceeds bounds")
        if update.header.frame_id != self._frame:
            return self._tell("ignored: another frame")
        part = np.array(update.data, np.int8).reshape(update.height, update.width)
        self.cells[update.y : update.y + update.height, update.x : update.x + update.width] = part
        return self._tell(f"{update.height}x{update.width}")

    def _tell(self, how: str) -> None:
        print(json.dumps({"how": how, "cells": self.cells.tolist()}), flush=True)


def listen() -> None:
    """Tell of every message on standard output, for two minutes."""
    node = rclpy.create_node("costmap")
    kept, end = StaticLayer(node), time.monotonic() + 120
    print("ready", flush=True)
    while kept is not None and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=1.0)


def send() -> None:
    """Show the next plan for every line on standard input."""
    from dens3r_ros.nodes.messages.packing import header_at
    from dens3r_ros.nodes.outputs.latched_topics import GridTopic
    from dens3r_ros.nodes.outputs.outlet import Outlet

    node, outlet = rclpy.create_node("node"), Outlet()
    outlet.open()
    topic = GridTopic(node, TOPIC)
    for number, plan in enumerate(plans()):
        sys.stdin.readline()
        while number == 0 and topic.publisher.get_subscription_count() == 0:
            rclpy.spin_once(node, timeout_sec=0.1)
        topic.show_plan(number, lambda plan=plan: plan, header_at(number, "map"), outlet)
    sys.stdin.readline()


if __name__ == "__main__":
    rclpy.init()
    {"listen": listen, "send": send}[sys.argv[1]]()
