# SPDX-License-Identifier: Apache-2.0
"""Interface packages that a machine may lack: each is its module, or None."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None


messages: ModuleType | Any = _module("dens3r_ros.msg")
services: ModuleType | Any = _module("dens3r_ros.srv")
tf2_messages: ModuleType | Any = _module("tf2_msgs.msg")
map_messages: ModuleType | Any = _module("map_msgs.msg")

MISSING_INTERFACES = (
    "the interfaces of dens3r_ros are not built (colcon build builds them): there will be no "
    "~/status, ~/keyframes, ~/save_map, ~/load_map and ~/localize"
)
MISSING_TF = "tf2_msgs is not installed: no transforms are published"
