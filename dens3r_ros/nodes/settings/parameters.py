# SPDX-License-Identifier: Apache-2.0
"""The node's parameters in ROS: declared with ranges, validated together, changed live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from dens3r_ros.nodes.settings.config import NodeConfig, Rule, parameter_table, with_values
from dens3r_ros.nodes.settings.validation import problems, unknown_names


class Parameters:
    """Keeps a `NodeConfig` equal to the node's parameters."""

    def __init__(self, node: Node, on_live_change: Callable[[NodeConfig], None]) -> None:
        self._node = node
        self._on_live_change = on_live_change
        self._rules = {name: rule for name, _, rule in parameter_table(NodeConfig())}
        self.locked = False
        self._warn_of_unknown()
        self.config = NodeConfig()
        self._accept_whole_numbers()
        for name, default, rule in parameter_table(self.config):
            value = list(default) if isinstance(default, tuple) else default
            node.declare_parameter(name, value, _descriptor(default, rule))
        self.config = with_values(self.config, self._values())
        node.add_on_set_parameters_callback(self._validate)
        node.add_post_set_parameters_callback(self._apply)

    def check(self) -> list[str]:
        """Why the present configuration cannot work; empty if it can."""
        return problems(self.config)

    def _values(self) -> dict[str, Any]:
        return {name: _plain(self._node.get_parameter(name).value) for name in self._rules}

    def _accept_whole_numbers(self) -> None:
        """Take 2 for 2.0, and 0.01 for "0.01", which ROS refuses."""
        given = self._node._parameter_overrides
        for name, default, _ in parameter_table(self.config):
            if not isinstance(default, (float, str)) or name not in given:
                continue
            value = given[name].value
            if isinstance(default, str) and isinstance(value, float):
                given[name] = Parameter(name, value=repr(value))
            whole = isinstance(value, int) and not isinstance(value, bool)
            if isinstance(default, float) and whole:
                given[name] = Parameter(name, value=float(value))

    def _warn_of_unknown(self) -> None:
        given = [
            name
            for name in self._node._parameter_overrides
            if not name.startswith(("qos_overrides.", "use_sim_time", "start_type_description"))
        ]
        for sentence in unknown_names(given, NodeConfig()):
            self._node.get_logger().warning(sentence)

    def _validate(self, changes: list[Parameter]) -> SetParametersResult:
        ours = {c.name: _plain(c.value) for c in changes if c.name in self._rules}
        for name in ours:
            if self.locked and not self._rules[name].live:
                return SetParametersResult(
                    successful=False,
                    reason=f"{name} cannot change while configured: clean up first",
                )
        found = problems(with_values(self.config, ours))
        return SetParametersResult(successful=not found, reason="; ".join(found))

    def _apply(self, changes: list[Parameter]) -> None:
        ours = {c.name: _plain(c.value) for c in changes if c.name in self._rules}
        if ours:
            self.config = with_values(self.config, ours)
            self._on_live_change(self.config)


def _plain(value: Any) -> Any:
    return tuple(value) if not isinstance(value, (str, bool, int, float)) else value


def _descriptor(default: Any, rule: Rule) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=rule.description)
    if rule.choices:
        descriptor.additional_constraints = "one of " + ", ".join(rule.choices)
    if rule.low is None or rule.high is None:
        return descriptor
    if isinstance(default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(rule.low), to_value=int(rule.high))]
    else:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=rule.low, to_value=rule.high)
        ]
    return descriptor
