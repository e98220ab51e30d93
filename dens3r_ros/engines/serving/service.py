# SPDX-License-Identifier: Apache-2.0
"""Answers calls with an engine, many robots' calls together."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from dens3r_ros.engines.preprocess import Sizing
from dens3r_ros.engines.protocol import Engine, Features, Outputs, ViewPrediction, WindowEngine
from dens3r_ros.engines.remote.packing import Packing
from dens3r_ros.engines.remote.pictures import decompress
from dens3r_ros.engines.remote.wire import FAILED, REFUSED, WIRE, Message, Picture, pictures_of
from dens3r_ros.engines.serving.feature_cache import FeatureCache
from dens3r_ros.engines.serving.parcel import Parcel
from dens3r_ros.frame import Frame
from dens3r_ros.network.prediction import PairPrediction

logger = logging.getLogger(__name__)
CACHE_BYTES = 2_000_000_000
MOST_PAIRS = 32
"""Pairs that are decoded in one batch."""


class Service:
    """One engine, its features, and what is asked of it; one batch at a time.

    `answer` never raises: a call that cannot be answered is told why.
    """

    def __init__(self, engine: Engine, cache_bytes: int = CACHE_BYTES) -> None:
        self.engine = engine
        self.sizing = sizing_of(engine)
        self.cache = FeatureCache(cache_bytes)
        self.batches: Counter[int] = Counter()
        """How many decodings had how many pairs."""
        self._lock = threading.Lock()
        self._packers = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "dens3r-pack")
        self._standing = {"model": engine.info.model, "hash": engine.info.model_hash}

    def answer(self, calls: Sequence[Message]) -> list[Message]:
        """Answers in the order of the calls; the images of all are taken in first."""
        with self._lock:
            answers: dict[int, Message] = {}
            refused = self._take_in(calls)
            groups: dict[Any, list[int]] = {}
            for n, call in enumerate(calls):
                if n in refused:
                    answers[n] = refused[n]
                elif call.head.get("op") == "decode" and (key := self._group(call)) is not None:
                    groups.setdefault(key, []).append(n)
                else:
                    answers[n] = self._guarded(self._single, call)
            for members in groups.values():
                answers.update(self._decoded(members, calls))
        return [answers[n] for n in range(len(calls))]

    def _take_in(self, calls: Sequence[Message]) -> dict[int, Message]:
        """Encode every image that came and is not known; answers to calls whose images are bad."""
        refused: dict[int, Message] = {}
        fresh: dict[str, Frame] = {}
        for n, call in enumerate(calls):
            try:
                for picture in pictures_of(call):
                    if self.cache.get(picture.key) is None and picture.key not in fresh:
                        fresh[picture.key] = self._frame(picture)
            except (ValueError, KeyError, TypeError) as error:
                refused[n] = self._error(error, REFUSED)
        try:
            for key, features in zip(fresh, self.engine.encode(list(fresh.values())), strict=True):
                self.cache.put(key, features)
        except Exception as error:  # robots are told whatever an engine raises; Triton goes on
            logger.exception("images could not be encoded")
            return {n: self._error(error, FAILED) for n, call in enumerate(calls)}
        return refused

    def _frame(self, picture: Picture) -> Frame:
        height, width = picture.size
        if max(height, width) > 4 * self.engine.info.image_size:
            raise ValueError(f"an image of {width}x{height} is not at this network's size")
        return Frame(decompress(picture.data, picture.size), 0, intrinsics=picture.intrinsics)

    def _group(self, call: Message) -> Any:
        """What calls must share to be decoded together; None for one that is answered alone."""
        try:
            pairs = [[self.cache.get(key) for key in pair] for pair in call.head["pairs"]]
            first = pairs[0]
            if any(view is None for pair in pairs for view in pair):
                return None
            sizes = tuple(view.placement.size for view in first if view is not None)
            return sizes, tuple(sorted(call.head["outputs"].items()))
        except (KeyError, TypeError, IndexError, AttributeError):
            return None

    def _decoded(self, members: Sequence[int], calls: Sequence[Message]) -> dict[int, Message]:
        """Calls of one group, as few batches as `MOST_PAIRS` allows; one that fails in company is
        tried alone."""
        found: dict[int, Message] = {}
        for batch in _batches([(n, len(calls[n].head["pairs"])) for n in members]):
            try:
                answers = self._together([calls[n] for n in batch])
            except Exception:  # one robot's call must not take the others along
                if len(batch) > 1:
                    logger.exception("a batch failed; its calls are answered one by one")
                answers = [self._guarded(self._alone, calls[n]) for n in batch]
            found.update(zip(batch, answers, strict=True))
        return found

    def _alone(self, call: Message) -> Message:
        return self._together([call])[0]

    def _together(self, calls: Sequence[Message]) -> list[Message]:
        pairs = [(self._known(a), self._known(b)) for call in calls for a, b in call.head["pairs"]]
        self.batches[len(pairs)] += 1
        maps = _arrays(self.engine.decode(pairs, Outputs(**calls[0].head["outputs"])))
        parcels, start = [], 0
        for call in calls:
            end = start + len(call.head["pairs"])
            parcel = Parcel(Packing(**call.head["packing"]), self._packers)
            parcels.append((parcel, {k: parcel.add(k, m[start:end]) for k, m in maps.items()}))
            start = end
        head = {**self._standing, "batch": len(pairs)}
        return [Message({**head, "maps": listed}, one.closed()) for one, listed in parcels]

    def _single(self, call: Message) -> Message:
        known: Mapping[str, Callable[[Message], Message]] = {
            "describe": self._describe,
            "encode": lambda _: Message(self._standing),
            "decode": self._missing,
            "window": self._window,
        }
        op = str(call.head.get("op"))
        if op not in known:
            raise ValueError(f"{op!r} is none of {', '.join(known)}")
        return known[op](call)

    def _describe(self, call: Message) -> Message:
        described = {"wire": WIRE, "info": asdict(self.engine.info), "sizing": asdict(self.sizing)}
        return Message({**self._standing, **described})

    def _missing(self, call: Message) -> Message:
        """Which features of the call are not here."""
        keys = call.head.get("keys") or [key for pair in call.head["pairs"] for key in pair]
        missing = [key for key in dict.fromkeys(keys) if key not in self.cache]
        if not missing:
            raise ValueError("a decode call names pairs of two keys each, and outputs")
        return Message({**self._standing, "missing": missing})

    def _window(self, call: Message) -> Message:
        if not isinstance(self.engine, WindowEngine):
            raise ValueError(f"{self.engine.info.model} looks at pairs of images only")
        features = [self.cache.get(key) for key in call.head["keys"]]
        if any(view is None for view in features):
            return self._missing(call)
        known = [view for view in features if view is not None]
        found = self.engine.decode_window(known, Outputs(**call.head["outputs"]))
        parcel = Parcel(Packing(**call.head["packing"]), self._packers)
        views = [_view(parcel, view) for view in found.views]
        return Message({**self._standing, "views": views}, parcel.closed())

    def _known(self, key: str) -> Features:
        features = self.cache.get(key)
        if features is None:
            raise ValueError(f"features {key} were forgotten while their call waited")
        return features

    def _guarded(self, work: Callable[[Message], Message], call: Message) -> Message:
        try:
            return work(call)
        except (ValueError, KeyError, TypeError) as error:
            if not isinstance(error, ValueError):
                logger.warning("a call was refused", exc_info=True)
            return self._error(error, REFUSED)
        except Exception as error:  # robots are told whatever an engine raises; Triton goes on
            logger.exception("a call failed")
            return self._error(error, FAILED)

    def _error(self, error: Exception, kind: str) -> Message:
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return Message({**self._standing, "error": text, "kind": kind})


def _arrays(prediction: PairPrediction) -> dict[str, np.ndarray]:
    found = {field.name: getattr(prediction, field.name) for field in fields(PairPrediction)}
    return {name: value.cpu().numpy() for name, value in found.items() if value is not None}


def _view(parcel: Parcel, view: ViewPrediction) -> dict[str, Any]:
    maps = {"points": view.points, "confidence": view.confidence, "normals": view.normals}
    return {
        "maps": {
            name: parcel.add(name, value[None].cpu().numpy())
            for name, value in maps.items()
            if value is not None
        },
        "T_first_view": view.T_first_view.tolist(),
        "intrinsics": asdict(view.intrinsics),
    }


def _batches(calls: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Calls, each with its number of pairs, in batches of at most `MOST_PAIRS`."""
    batches: list[list[int]] = []
    filled = MOST_PAIRS
    for n, pairs in calls:
        if filled + pairs > MOST_PAIRS:
            batches.append([])
            filled = 0
        batches[-1].append(n)
        filled += pairs
    return batches


def sizing_of(engine: Engine) -> Sizing:
    """Which images the engine takes; ValueError where clients could not make them."""
    sizing = getattr(engine, "sizing", None)
    if not isinstance(sizing, Sizing):
        raise ValueError(
            f"engine {engine.info.name} cannot be served: only networks can, by torch or onnx"
        )
    side = sizing.long_side
    if sizing.fixed is None and side % sizing.patch:
        raise ValueError(
            f"a long side of {side} is no multiple of the network's patch of {sizing.patch}: take"
            f" {side // sizing.patch * sizing.patch}"
        )
    return sizing
