# SPDX-License-Identifier: Apache-2.0
"""The other process of test_messages_cross_dds.py: sends every message, answers every service."""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np

NUMBERS = {"uint8": 7, "uint32": 4_000_000_000, "uint64": 1 << 60, "int32": -5}


def fill(message: Any, salt: int = 0) -> Any:
    """Give every field a value of its own, nested messages and sequences too."""
    for number, (name, kind) in enumerate(message.get_fields_and_field_types().items()):
        setattr(message, name, _value(kind, 1 + number + salt))
    return message


def _value(kind: str, salt: int) -> Any:
    if kind.startswith("sequence<"):
        return [_value(kind[len("sequence<") : -1], salt + step) for step in range(3)]
    if kind.endswith("]"):
        kind, count = kind[:-1].split("[")
        return [_value(kind, salt + step) for step in range(int(count))]
    if "/" in kind:
        return fill(_class(kind)(), salt)
    if kind == "boolean":
        return True
    if kind == "string":
        return f"text {salt} \u00e9"
    if kind in ("float", "double"):
        return float(np.float32(salt + 0.1)) if kind == "float" else salt + 0.1
    return NUMBERS[kind] - salt % 5


def _class(kind: str) -> Any:
    package, name = kind.split("/")
    return getattr(__import__(f"{package}.msg", fromlist=[name]), name)


def plain(value: Any) -> Any:
    """Messages as dictionaries, so that unequal fields are seen by name."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, (list, tuple, array.array, np.ndarray)):
        return [plain(item) for item in value]
    return value


def main() -> None:
    """Serve until the parent closes our standard input."""
    import dens3r_ros.msg
    import dens3r_ros.srv
    import rclpy
    from rclpy.qos import QoSDurabilityPolicy, QoSProfile

    rclpy.init()
    node = rclpy.create_node("peer", namespace=sys.argv[1])
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    kept: list[Any] = []
    for name in sys.argv[2].split(","):
        kind = getattr(dens3r_ros.msg, name)
        kept.append(node.create_publisher(kind, name.lower(), latched))
        kept[-1].publish(fill(kind()))
    for name in sys.argv[3].split(","):
        kind = getattr(dens3r_ros.srv, name)
        kept.append(node.create_service(kind, name.lower(), _answer))
    print("ready", flush=True)
    while rclpy.ok():
        rclpy.spin_once(node, timeout_sec=0.1)


def _answer(request: Any, response: Any) -> Any:
    if plain(request) != plain(fill(type(request)())):
        response.message = f"the request arrived as {plain(request)}"
        return response
    return fill(response)


if __name__ == "__main__":
    main()
