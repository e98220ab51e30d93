# SPDX-License-Identifier: Apache-2.0
"""Loads the engine that the parameters name, beside the main thread so that signals are heard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.nodes.settings.config import EngineParameters


class EngineUnavailable(Exception):
    """The engine cannot be had; the text says why and what to do."""


class Interrupted(Exception):
    """A signal came while the engine was loading."""


def load_beside(parameters: EngineParameters, stopping: Callable[[], bool]) -> Engine:
    """The engine, once it is loaded; Interrupted as soon as `stopping` says so."""
    result: list[Engine | BaseException] = []
    thread = threading.Thread(target=lambda: result.append(_attempt(parameters)), daemon=True)
    thread.start()
    while thread.is_alive():
        if stopping():
            raise Interrupted
        thread.join(0.05)
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _attempt(parameters: EngineParameters) -> Engine | BaseException:
    try:
        return _load(parameters)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        unavailable = EngineUnavailable(str(error))
        unavailable.__cause__ = error
        return unavailable


def _load(parameters: EngineParameters) -> Engine:
    from dens3r_ros.engines.loading import load_engine
    from dens3r_ros.model_store.manifest import preferred_model

    network = parameters.model or (parameters.name != "geometric" and preferred_model())
    return load_engine(
        parameters.name,
        parameters.model,
        parameters.device,
        parameters.precision,
        0 if network else parameters.max_side,
    )
