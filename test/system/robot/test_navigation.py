# SPDX-License-Identifier: Apache-2.0
"""If these fail, Nav2 drives into what the camera sees, or stops for what is no longer there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not there")
from costmap import FREE, LETHAL, VoxelLayer
from nav_msgs.msg import OccupancyGrid
from peer import EVERY_FRAME, LATCHED, NODE, WALL, Peer, Stream, stamp_of
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage
from trees import Tree

from dens3r_ros.evaluation.oracle.wall_engine import DISTANCE
from dens3r_ros.nodes.messages.poses import matrix_from_seven

CONFIG = Path(__file__).parents[3] / "config" / "nav2.yaml"
HEIGHT = 0.4
MOUNTED = [0.2, 0.0, HEIGHT, -0.5, 0.5, -0.5, 0.5]
"""Of the camera on the robot: 20 cm ahead, looking ahead."""
ROBOT = (
    *("-p", "frames.base:=base_link", "-p", f"frames.base_from_camera:={MOUNTED}"),
    *("-p", "mapping.level:=base", "-p", "input.stall_after:=60.0"),
)


def parameters() -> dict[str, Any]:
    return yaml.safe_load(CONFIG.read_text())


def layer() -> dict[str, Any]:
    local = parameters()["local_costmap"]["local_costmap"]["ros__parameters"]
    return local["voxel_layer"]


def cloud(message: PointCloud2) -> np.ndarray:
    """(N, 3) as nav2 reads it: by the offsets of x, y and z."""
    offsets = [next(f.offset for f in message.fields if f.name == name) for name in "xyz"]
    raw = np.frombuffer(message.data, np.uint8).reshape(-1, message.point_step)
    return np.stack([raw[:, o : o + 4].copy().view(np.float32)[:, 0] for o in offsets], -1)


@pytest.fixture
def seen(start: Any, peer: Peer) -> tuple[Peer, Stream]:
    start(NODE, *WALL, *EVERY_FRAME, *ROBOT)
    peer.listen(PointCloud2, "dens3r/points")
    peer.listen(TFMessage, "/tf", 100)
    stream = Stream(peer)
    stream.send(4)
    assert peer.until(lambda: len(peer.received["dens3r/points"]) >= 3)
    return peer, stream


def test_a_costmap_marks_the_wall_and_clears_what_is_before_it(seen) -> None:
    peer, _ = seen
    message = peer.received["dens3r/points"][-1]
    tree = Tree(t for m in peer.received["/tf"] for t in m.transforms)
    T_odom_base = tree.at("odom", "base_link", stamp_of(message))
    # The camera's own frame hangs below base_link in the robot's description.
    T = T_odom_base @ matrix_from_seven(tuple(MOUNTED))
    T[2, 3] -= T_odom_base[2, 3]
    costmap = VoxelLayer(layer())
    ghost = np.array([[T[0, 3] + 1.2, T[1, 3], z] for z in np.arange(0.1, 0.6, 0.05)])
    costmap.mark(ghost)
    assert costmap.costs()[costmap.cell(*ghost[0, :2])] == LETHAL
    points = cloud(message) @ T[:3, :3].T + T[:3, 3]
    costmap.observe(points, T[:3, 3])
    costs = costmap.costs()
    assert costs[costmap.cell(*ghost[0, :2])] == FREE
    wall = [T[0, 3] + DISTANCE + off for off in np.arange(-0.2, 0.25, 0.05)]
    for y in np.arange(-0.6, 0.61, 0.1):
        assert max(costs[costmap.cell(x, T[1, 3] + y)] for x in wall) == LETHAL
        ahead = np.arange(T[0, 3] + 0.1, T[0, 3] + DISTANCE - 0.25, 0.05)
        assert all(costs[costmap.cell(x, T[1, 3] + y * 0.5)] == FREE for x in ahead)


def test_the_floor_plan_has_the_wall_where_the_map_has_it(seen) -> None:
    peer, stream = seen
    peer.listen(OccupancyGrid, "dens3r/occupancy", LATCHED)
    plans = peer.received["dens3r/occupancy"]
    stream.send(2)
    assert peer.until(lambda: plans and plans[-1].info.width > 0, 60)
    plan = plans[-1]
    assert plan.header.frame_id == "map"
    assert plan.info.resolution == pytest.approx(0.05)
    cells = np.array(plan.data, np.int8).reshape(plan.info.height, plan.info.width)
    assert set(np.unique(cells).tolist()) <= {-1, 0, 100}
    rows, columns = np.nonzero(cells == 100)
    x = plan.info.origin.position.x + (columns + 0.5) * plan.info.resolution
    y = plan.info.origin.position.y + (rows + 0.5) * plan.info.resolution
    tree = Tree(t for m in peer.received["/tf"] for t in m.transforms)
    at = stamp_of(peer.received["dens3r/points"][-1])
    T = tree.at("map", "base_link", at) @ matrix_from_seven(tuple(MOUNTED))
    ahead, aside = (np.stack((x, y, 0 * x), -1) - T[:3, 3]) @ T[:3, [2, 0]] @ np.eye(2), y
    assert len(aside) > 10
    assert np.abs(ahead[:, 0] - DISTANCE).max() < 0.2


def test_the_parameters_are_those_that_people_miss() -> None:
    mark, clear = layer()["mark"], layer()["clear"]
    assert mark["topic"] == clear["topic"] == "/dens3r/points"
    assert clear["min_obstacle_height"] < 0 < mark["min_obstacle_height"]
    everything = parameters()
    whole = everything["global_costmap"]["global_costmap"]["ros__parameters"]
    assert whole["static_layer"]["map_topic"] == "/dens3r/occupancy"
    assert whole["static_layer"]["map_subscribe_transient_local"] is True
    assert whole["global_frame"] == "map"
