# SPDX-License-Identifier: Apache-2.0
"""Finds settings in the configuration that lies beside published weights, wherever in its tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def integer(config: Mapping[str, Any], name: str, usual: int) -> int:
    """The integer that `config` calls `name`, at any depth; `usual` where there is none."""
    found = (value for value in _values(config, name) if type(value) is int)
    return next(found, usual)


def four_integers(
    config: Mapping[str, Any], name: str, usual: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """The four integers that `config` calls `name`, at any depth; `usual` where there are none."""
    for value in _values(config, name):
        if isinstance(value, list | tuple) and len(value) == 4:
            first, second, third, fourth = (int(item) for item in value)
            return first, second, third, fourth
    return usual


def _values(config: Mapping[str, Any], name: str) -> Iterator[Any]:
    for key, value in config.items():
        if key == name:
            yield value
        elif isinstance(value, Mapping):
            yield from _values(value, name)
