# SPDX-License-Identifier: Apache-2.0
"""Parameter files, read without ROS: what the node would refuse is told before it is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dens3r_ros.nodes.settings.config import NodeConfig, parameter_table, with_values
from dens3r_ros.nodes.settings.validation import problems, unknown_names

_OF_THE_NODE = ("/**", "dens3r", "/dens3r", "/**/dens3r")
_OF_ROS = ("use_sim_time", "qos_overrides.", "start_type_description_service")


def read_parameters(path: Path) -> NodeConfig:
    """The node's configuration in a file; OSError, or ValueError with a sentence."""
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in _section(path).items()
        if not name.startswith(_OF_ROS)
    }
    found = unknown_names(given, NodeConfig()) or list(_wrong_kinds(given))
    if not found:
        config = with_values(NodeConfig(), _with_floats(given))
        found = problems(config)
    if found:
        raise ValueError(f"{path}: {'; '.join(found)}")
    return config


def _section(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text file, so no parameters") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no parameters; they begin with a node's name or /**")
    sections = [content[name] for name in _OF_THE_NODE if name in content]
    if not sections:
        raise ValueError(f"{path} has no parameters for dens3r or /**, but for {list(content)}")
    merged: dict[str, Any] = {}
    for section in sections:
        if not isinstance(section, dict) or not isinstance(section.get("ros__parameters"), dict):
            raise ValueError(f"{path}: parameters stand below ros__parameters")
        merged |= _flat(section["ros__parameters"])
    return merged


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        full = f"{above}{name}"
        flat |= _flat(value, f"{full}.") if isinstance(value, dict) else {full: value}
    return flat


def _wrong_kinds(given: dict[str, Any]) -> Iterator[str]:
    for name, default, _ in parameter_table(NodeConfig()):
        if name in given and not _fits(given[name], default):
            yield f"{name}: expected {type(default).__name__}, found {given[name]!r}"


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_fits(one, default[0]) for one in value)
    return type(value) is type(default)


def _with_floats(given: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: type(default) for name, default, _ in parameter_table(NodeConfig())}
    return {n: float(v) if kinds[n] is float else v for n, v in given.items()}
