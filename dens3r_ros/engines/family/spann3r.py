# SPDX-License-Identifier: Apache-2.0
"""Runs Spann3R: every frame of a camera goes into the frame of its first one, by what is remembered
of those before; pairs of frames are then read off that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dens3r_ros.engines.family.standing import camera_of, seen_from, standing
from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.engines.torch_engine import (
    TorchConfig,
    TorchEncoding,
    TorchEngine,
    check_equal_sizes,
    joined,
)
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.descendants.spann3r import FramePoints, Spann3R, Spann3RStream
from dens3r_ros.network.descendants.spatial_memory import MemoryConfig
from dens3r_ros.network.prediction import PairPrediction

Pair = tuple[Features, Features]


@dataclass(eq=False)
class InStream:
    """A frame as its stream knows it.

    seen: in the first frame's optical frame, better once the next frame was seen; None while it is
    the only one. T_first_frame (4, 4): where its camera stands there, once that was asked for.
    """

    stream: CameraStream
    seen: FramePoints | None = None
    T_first_frame: np.ndarray | None = None
    asked: bool = False

    def learn(self, seen: FramePoints) -> None:
        """Take over a prediction."""
        self.seen, self.T_first_frame, self.asked = seen, None, False


@dataclass(frozen=True, eq=False)
class StreamEncoding(TorchEncoding):
    """A frame's tokens and its place in a stream."""

    place: InStream


class CameraStream:
    """The frames of one camera since the engine last forgot."""

    def __init__(self, network: Spann3R, memory: MemoryConfig | None) -> None:
        self._stream = Spann3RStream(network, memory)
        self._last: Features | None = None
        self.camera: Intrinsics | None = None

    def follows(self, frame: Frame) -> bool:
        """Whether a frame is the next one, and no earlier one that is looked at again."""
        return self._last is None or frame.stamp > self._last.frame.stamp

    def again(self, frame: Frame) -> Features | None:
        """The last frame, if it is this one."""
        last = self._last
        if last is None or frame.stamp != last.frame.stamp:
            return None
        return last if np.array_equal(frame.image, last.frame.image) else None

    def take(self, features: Features) -> Features:
        """Take in the next frame."""
        coded, place = features.data, InStream(self)
        found = self._stream.step_tokens(coded.tokens)
        if found is not None and self._last is not None:
            before, here = found
            self._last.data.place.learn(before)
            place.learn(here)
            if self.camera is None:  # the frame before was the first one
                self.camera = camera_of(self._last, before.points[0], before.confidence[0])
        encoding = StreamEncoding(coded.tokens, coded.turned, place)
        self._last = replace(features, data=encoding)
        return self._last


class Spann3REngine(TorchEngine):
    """An engine of pairs that remembers what each camera saw.

    Pairs of one camera's frames lie in one unit; others, and those whose cameras do not fit their
    points, are predicted by themselves, without memory.
    """

    mixed_sizes = False

    def __init__(
        self,
        network: Spann3R,
        config: TorchConfig | None = None,
        model: str = "",
        memory: MemoryConfig | None = None,
    ) -> None:
        digest = fingerprint(network)
        super().__init__(network.network, config, model or network.FAMILY)
        self._whole = network.to(self.device).eval().requires_grad_(False)
        self._memory = memory
        self._streams: dict[str, CameraStream] = {}
        self.info = replace(self.info, model_hash=digest)

    def warm_up(self, size: tuple[int, int] = (480, 640)) -> None:
        """Run once on two blank frames, and forget them."""
        blank = np.zeros((*size, 3), np.uint8)
        first, second = self.encode([Frame(blank, 0), Frame(blank, 1)])
        self.decode([(first, second)], Outputs())
        self.forget()

    def forget(self) -> None:
        """Let the next frame of each camera begin a stream."""
        self._streams.clear()

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode frames, each the next of its camera's unless its stamp says otherwise."""
        return [self._taken(frame) for frame in frames]

    def encode_aside(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode frames that belong to no stream."""
        return super().encode(frames)

    def decode(self, pairs: Sequence[Pair], outputs: Outputs) -> PairPrediction:
        """What the streams say of pairs, and the network where they say nothing."""
        check_equal_sizes(pairs)
        remembered = [self._remembered(pair, outputs) for pair in pairs]
        if not any(remembered):
            return super().decode(pairs, outputs)
        found = [
            known or super(Spann3REngine, self).decode([pair], outputs)
            for pair, known in zip(pairs, remembered, strict=True)
        ]
        whole = found[0]
        for one in found[1:]:
            whole = joined(whole, one)
        return whole

    def _taken(self, frame: Frame) -> Features:
        if frame.camera not in self._streams:
            self._streams[frame.camera] = CameraStream(self._whole, self._memory)
        stream = self._streams[frame.camera]
        known = stream.again(frame)
        if known is not None:
            return replace(known, frame=frame)
        features = self.encode_aside([frame])[0]
        if not stream.follows(frame):
            return features
        with torch.inference_mode():
            return stream.take(features)

    def _remembered(self, pair: Pair, outputs: Outputs) -> PairPrediction | None:
        """A pair of one stream, in a's frame."""
        places = [one.data.place if isinstance(one.data, StreamEncoding) else None for one in pair]
        a, b = places
        if a is None or b is None or a.stream is not b.stream:
            return None
        if a.seen is None or b.seen is None:
            return None
        T = self._standing(pair[0], a)
        if T is None:
            return None
        both = {"a": a.seen, "b": b.seen}
        with torch.inference_mode():
            points = {
                f"points_{view}": seen_from(T, seen.points)
                for view, seen in both.items()
                if view in outputs.points
            }
        confidence = {f"confidence_{view}": seen.confidence for view, seen in both.items()}
        return PairPrediction(**points, **confidence)

    def _standing(self, features: Features, place: InStream) -> np.ndarray | None:
        """T_first_frame of a frame, asked for once a prediction."""
        if not place.asked:
            place.asked = True
            camera = features.intrinsics or place.stream.camera
            assert place.seen is not None
            if camera is not None:
                points, confidence = place.seen.points[0], place.seen.confidence[0]
                place.T_first_frame = standing(points, confidence, camera)
        return place.T_first_frame
