# SPDX-License-Identifier: Apache-2.0
"""What there is to tell of an engine that runs elsewhere."""

from __future__ import annotations

from typing import Any

from dens3r_ros.engines.protocol import DistantEngine, Engine


def trouble_of(engine: Engine) -> str:
    """Why the engine does not answer; empty while it does, and for one that is here."""
    return engine.trouble if isinstance(engine, DistantEngine) else ""


def figures_of(engine: Engine) -> dict[str, str]:
    """Of the connection, for diagnostics; nothing for one that is here."""
    return engine.figures() if isinstance(engine, DistantEngine) else {}


class ServerLog:
    """Tells the log once that a server is away, and once that it is back."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._away = False

    def note(self, engine: Engine) -> None:
        """Look how it stands now."""
        trouble = trouble_of(engine)
        if bool(trouble) == self._away:
            return
        self._away = bool(trouble)
        if trouble:
            self._logger.warning(f"no decodings for now, tracking goes on: {trouble}")
        else:
            self._logger.info("the server answers again")
