# SPDX-License-Identifier: Apache-2.0
"""Between Triton's arrays and the calls of `wire`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from dens3r_ros.engines.remote.wire import REFUSED, Message
from dens3r_ros.engines.serving.service import Service

logger = logging.getLogger(__name__)
INPUTS, OUTPUTS = ("call", "data"), ("answer", "data")
Arrays = Mapping[str, np.ndarray]


def answer_arrays(service: Service, requests: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
    """For each request its outputs; inputs and outputs are (B, 1) of bytes objects."""
    calls: list[Message | None] = []
    for request in requests:
        calls += [_read(text, data) for text, data in zip(*_columns(request), strict=True)]
    answers = iter(service.answer([call for call in calls if call is not None]))
    bad = Message({"error": "a call must be a JSON object", "kind": REFUSED})
    everything = iter([bad if call is None else next(answers) for call in calls])
    found = []
    for request in requests:
        rows = [next(everything) for _ in _columns(request)[0]]
        found.append(
            {
                "answer": np.array([[row.text] for row in rows], dtype=object),
                "data": np.array([[row.data] for row in rows], dtype=object),
            }
        )
    return found


def _columns(request: Arrays) -> list[list[bytes]]:
    return [[bytes(one) for one in np.asarray(request[name]).ravel()] for name in INPUTS]


def _read(text: bytes, data: bytes) -> Message | None:
    try:
        return Message.read(text, data)
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError):
        logger.warning("a call of %d bytes is no JSON object", len(text))
        return None
