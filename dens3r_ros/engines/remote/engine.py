# SPDX-License-Identifier: Apache-2.0
"""Runs a network on a server: images go there once, maps come back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dens3r_ros.engines.preprocess import Sizing, prepare
from dens3r_ros.engines.protocol import (
    EngineAway,
    EngineInfo,
    Features,
    Outputs,
    ViewPrediction,
    WindowPrediction,
)
from dens3r_ros.engines.remote.config import RemoteConfig
from dens3r_ros.engines.remote.health import Health
from dens3r_ros.engines.remote.link import ServerLink, until_answered
from dens3r_ros.engines.remote.packing import unpack
from dens3r_ros.engines.remote.pictures import compress
from dens3r_ros.engines.remote.wire import WIRE, Message, Picture, with_pictures
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.pairwise.portrait import turn_back
from dens3r_ros.network.prediction import PairPrediction

logger = logging.getLogger(__name__)
_HELD_S = 0.003
"""Seconds that an image waits for a decoding that takes it along, which saves a call."""


@dataclass(eq=False)
class RemoteEncoding:
    """An image that was sent to be encoded there, and may be sent again."""

    picture: Picture
    turned: bool
    """Whether the network sees it turned by 90 degrees."""
    sent: Any
    """Future of the call that took it along, or that one did; None where it did not go yet."""


class RemoteEngine:
    """An `Engine` and, where the server's is one, a `WindowEngine`.

    `encode` does not wait: images go along with the decoding that follows at once, else by
    themselves; whatever hinders one is found out when its pair is decoded, and it is sent again.
    Every call raises EngineAway within `timeout` seconds where there is no answer.
    """

    def __init__(self, config: RemoteConfig) -> None:
        self.config = config
        self._link = ServerLink(config)
        described = until_answered(self._describe, config.start_timeout, self._tell)
        self.sizing = _sizing(described["sizing"])
        self._there = EngineInfo(**described["info"])
        self._refuse_another(config)
        device = f"{self._there.device} at {config.target}"
        self.info = replace(self._there, name="remote", device=device)
        self._sending = threading.Lock()
        self._beside = ThreadPoolExecutor(1, "dens3r-send")

    def _refuse_another(self, config: RemoteConfig) -> None:
        there = self._there
        named, hashed = Path(config.model).stem, config.model_hash
        if (named and named != there.model) or (hashed and hashed != there.model_hash):
            asked = " ".join(filter(None, (named, hashed)))
            raise ValueError(
                f"{config.target} runs {there.model} {there.model_hash}, not {asked}: start the"
                " server with that model, or change engine.model and remote.model_hash"
            )

    @property
    def trouble(self) -> str:
        """Why the server does not answer; empty while it does."""
        return self._link.health.trouble

    @property
    def health(self) -> Health:
        """What was counted and timed."""
        return self._link.health

    def figures(self) -> dict[str, str]:
        """For diagnostics."""
        return {"server": self.config.target, **self._link.health.figures()}

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Send each frame to be encoded, and go on."""
        made = [self._pictured(frame) for frame in frames]
        if made:
            due = time.monotonic() + _HELD_S
            ahead = self._beside.submit(self._send, [one.data for one in made], due)
            ahead.add_done_callback(_noted)
        return made

    def _send(self, fresh: Sequence[RemoteEncoding], due: float) -> None:
        """Those of the images that no decoding has taken along by then."""
        time.sleep(max(due - time.monotonic(), 0))
        with self._sending:
            left = [one for one in fresh if one.sent is None]
            if left:
                call = with_pictures({"op": "encode"}, [one.picture for one in left])
                sent = self._link.send(call, self.config.timeout)
                for one in left:
                    one.sent = sent

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Predict pairs in one batch."""
        if not pairs:
            raise ValueError("there is no pair to decode")
        keys = [[view.data.picture.key for view in pair] for pair in pairs]
        head = {"op": "decode", "pairs": keys, "outputs": asdict(outputs), **self._wanted()}
        answer = self._answered(head, [view.data for pair in pairs for view in pair])
        self.health.batched(answer.head.get("batch", len(pairs)))
        maps = _maps(answer, answer.head["maps"])
        known = {field.name for field in fields(PairPrediction)}
        found = {name: torch.from_numpy(value) for name, value in maps.items() if name in known}
        a, b = pairs[0]
        return turn_back(PairPrediction(**found), a.data.turned, b.data.turned)

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        """Predict 1 to `info.views` views together."""
        keys = [view.data.picture.key for view in features]
        head = {"op": "window", "keys": keys, "outputs": asdict(outputs), **self._wanted()}
        answer = self._answered(head, [view.data for view in features])
        return WindowPrediction(tuple(_view(answer, one) for one in answer.head["views"]))

    def _wanted(self) -> dict[str, Any]:
        return {"packing": asdict(self.config.packing)}

    def _pictured(self, frame: Frame) -> Features:
        prepared = prepare(frame, self.sizing)
        config = self.config
        data = compress(prepared.pixels, config.image_format, config.image_quality)
        height, width = prepared.pixels.shape[:2]
        # No network that is turned reads a camera; were one sent, it would be that of the unturned.
        camera = None if prepared.turned else prepared.intrinsics
        picture = Picture.of(data, (height, width), camera)
        encoding = RemoteEncoding(picture, prepared.turned, None)
        return Features(frame, prepared.placement, prepared.intrinsics, encoding)

    def _answered(self, head: Mapping[str, Any], views: Sequence[RemoteEncoding]) -> Message:
        """The answer to a call about these views, with those sent along that the server lacks."""
        deadline = time.monotonic() + self.config.timeout
        known = {view.picture.key: view.picture for view in views}
        with self._sending:
            lacking = [view.picture.key for view in views if view.sent is None]
            for view in views:
                view.sent = view.sent or True
        for _ in range(3):
            left = max(deadline - time.monotonic(), 0.05)
            along = [known[key] for key in dict.fromkeys(lacking)]
            answer = self._checked(self._link.ask(with_pictures(head, along), left))
            lacking = [*lacking, *answer.head.get("missing", [])]
            if not answer.head.get("missing"):
                return answer
            self._link.health.count("again", len(answer.head["missing"]))
        raise self._link.health.failed(
            f"{self.config.target} forgets images at once: start it with a larger --cache"
        )

    def _checked(self, answer: Message) -> Message:
        """The answer, if the server still runs what this engine was made for."""
        here, there = self._there, answer.head
        if (there["model"], there["hash"]) != (here.model, here.model_hash):
            raise self._link.health.failed(
                f"{self.config.target} runs {there['model']} {there['hash']} now, but this map is"
                f" made with {here.model} {here.model_hash}: start that model again, or this node"
            )
        return answer

    def _describe(self) -> Mapping[str, Any]:
        answer = self._link.ask(Message({"op": "describe"}), self.config.timeout)
        if answer.head.get("wire") != WIRE:
            raise ValueError(
                f"{self.config.target} speaks version {answer.head.get('wire')} of what this one"
                f" speaks in version {WIRE}: install one version of dens3r_ros on both"
            )
        return answer.head

    def _tell(self, sentence: str) -> None:
        logger.warning("waiting for the server: %s", sentence)


def connect(config: RemoteConfig) -> RemoteEngine:
    """The engine, once its server has answered; ValueError with a sentence where none does."""
    try:
        return RemoteEngine(config)
    except EngineAway as error:
        raise ValueError(
            f"no server within {config.start_timeout:.0f} s: {error}; start one there with:"
            " dens3r serve --model MODEL"
        ) from error


def _sizing(values: Mapping[str, Any]) -> Sizing:
    fixed = values.get("fixed")
    return Sizing(**{**values, "fixed": None if fixed is None else tuple(fixed)})


def _maps(answer: Message, listed: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Maps by name, those of a batch stacked."""
    found = {}
    for name, about in listed.items():
        parts = [
            unpack(one, answer.data[one["at"] : one["at"] + one["bytes"]]) for one in about["each"]
        ]
        found[name] = np.stack(parts)
    return found


def _view(answer: Message, about: Mapping[str, Any]) -> ViewPrediction:
    maps = {name: torch.from_numpy(one[0]) for name, one in _maps(answer, about["maps"]).items()}
    return ViewPrediction(
        maps["points"],
        maps["confidence"],
        maps.get("normals"),
        np.array(about["T_first_view"], np.float64),
        Intrinsics(**about["intrinsics"]),
    )


def _noted(ahead: Future[None]) -> None:
    """Nobody waits for images that went ahead: they go with their decoding where that failed."""
    error = ahead.exception()
    if error is not None:
        logger.error("images could not be sent ahead", exc_info=error)
