# SPDX-License-Identifier: Apache-2.0
"""Loads the engine that the parameters name and warms it up, on a thread of its own so that all
else goes on."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.nodes.settings.config import EngineParameters
from dens3r_ros.nodes.settings.remote import RemoteParameters, remote_config


class EngineUnavailable(Exception):
    """The engine cannot be had; the text says why and what to do."""


def begin_loading(
    parameters: EngineParameters, remote: RemoteParameters | None = None
) -> Future[Engine]:
    """The engine, or EngineUnavailable, as it will be once it is loaded."""
    loading: Future[Engine] = Future()
    threading.Thread(target=_attempt, args=(parameters, remote, loading), daemon=True).start()
    return loading


def _attempt(
    parameters: EngineParameters, remote: RemoteParameters | None, loading: Future[Engine]
) -> None:
    try:
        loading.set_result(_load(parameters, remote or RemoteParameters()))
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        unavailable = EngineUnavailable(str(error))
        unavailable.__cause__ = error
        loading.set_exception(unavailable)
    except BaseException as error:
        loading.set_exception(error)


def _load(parameters: EngineParameters, remote: RemoteParameters) -> Engine:
    from dens3r_ros.engines.loading import choose_engine, load_engine, load_remote
    from dens3r_ros.engines.protocol import WarmingEngine

    if parameters.name == "remote":
        config = remote_config(parameters.address, parameters.model, remote)
        return load_remote(config, parameters.fallback, parameters.max_side)
    network = choose_engine(parameters.name, parameters.model).engine in ("torch", "onnx")
    engine = load_engine(
        parameters.name,
        parameters.model,
        parameters.device,
        parameters.precision,
        0 if network else parameters.max_side,
        parameters.size,
    )
    if isinstance(engine, WarmingEngine):
        engine.warm_up()
    return engine
