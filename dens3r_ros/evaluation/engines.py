# SPDX-License-Identifier: Apache-2.0
"""Engines by the names that the command line takes."""

from __future__ import annotations

from importlib import import_module

from dens3r_ros.engines.protocol import Engine


class EngineError(ValueError):
    """No engine can be had by that name; the message says why and what to do."""


def engine_named(name: str) -> Engine:
    """geometric, constant, plane, or module:factory, a callable without arguments."""
    if name == "geometric":
        from dens3r_ros.engines.geometric import GeometricEngine

        return GeometricEngine()
    if name in ("constant", "plane"):
        from dens3r_ros.evaluation.baselines import BaselineEngine

        return BaselineEngine(plane=name == "plane")
    if ":" not in name:
        raise EngineError(
            f"no engine is named {name!r}: take geometric, constant, plane or module:factory."
        )
    return _from_factory(name)


def _from_factory(name: str) -> Engine:
    module, factory = name.split(":", 1)
    try:
        engine = getattr(import_module(module), factory)()
    except (ImportError, AttributeError) as error:
        raise EngineError(f"engine {name!r}: {error}.") from error
    if not isinstance(engine, Engine):
        raise EngineError(
            f"engine {name!r} is a {type(engine).__name__} without encode and decode."
        )
    return engine
