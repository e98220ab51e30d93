# SPDX-License-Identifier: Apache-2.0
"""If these fail, Spann3R mixes the frames of two cameras or two maps, forgets what it saw, or says
of a pair what is not in its first view's frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from room import frames, points_in, pose

from dens3r_ros.engines.family import spann3r
from dens3r_ros.engines.family.spann3r import Spann3REngine, StreamEncoding
from dens3r_ros.engines.preprocess import normalise
from dens3r_ros.engines.protocol import Engine, Outputs, RememberingEngine, encode_aside
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.network.descendants.spann3r import FramePoints
from dens3r_ros.network.descendants.spatial_memory import MemoryConfig

CPU = TorchConfig("cpu", "fp32")


class TrueStream:
    """A stream that knows the room; the first prediction of each frame is a little short."""

    def __init__(self, network: Any, memory: Any) -> None:
        self._count = 0

    def step_tokens(self, tokens: Any) -> tuple[FramePoints, FramePoints] | None:
        self._count += 1
        first = np.linalg.inv(pose(0))
        found = [points_in(first, pose(n)) for n in (self._count - 2, self._count - 1)]
        sure = torch.full(found[0].shape[:3], 5.0)
        if self._count == 1:
            return None
        return FramePoints(found[0], sure), FramePoints(0.98 * found[1], sure)


@pytest.fixture
def engine(small: Callable[[str], Any]) -> Spann3REngine:
    return Spann3REngine(small("spann3r"), CPU)


@pytest.fixture
def knowing(engine: Spann3REngine, monkeypatch: pytest.MonkeyPatch) -> Spann3REngine:
    monkeypatch.setattr(spann3r, "Spann3RStream", TrueStream)
    return engine


def test_it_keeps_the_contract(engine: Spann3REngine) -> None:
    assert isinstance(engine, Engine) and isinstance(engine, RememberingEngine)
    assert engine.info.monocular and not engine.info.metric and engine.info.views == 2
    assert engine.info.model == "spann3r" and engine.info.image_size == 64
    engine.warm_up()
    assert not engine._streams


def test_frames_give_what_the_network_gives_of_the_sequence(
    small: Callable[[str], Any], engine: Spann3REngine
) -> None:
    """Frame by frame as the network's own loop, and pruned as that."""
    shown = frames(8)
    memory = MemoryConfig(long_tokens=32, work_frames=2, most_similar=1.0)
    engine = Spann3REngine(small("spann3r"), CPU, memory=memory)
    coded = [engine.encode([frame])[0] for frame in shown]
    stream = small("spann3r").stream(memory)
    with torch.inference_mode():
        for n, frame in enumerate(shown):
            found = stream.step(normalise(torch.from_numpy(frame.image)[None]))
            if found is not None:
                expected = coded[n - 1].data.place.seen
                assert torch.allclose(found[0].points, expected.points, atol=1e-5)
    assert torch.allclose(found[1].points, coded[-1].data.place.seen.points, atol=1e-5)
    kept = engine._streams["camera"]._stream.memory
    assert len(kept) == len(stream.memory) <= 32 + 2 * 16


def test_a_pair_of_one_stream_lies_in_its_first_view(knowing: Spann3REngine) -> None:
    coded = [knowing.encode([frame])[0] for frame in frames(6)]
    for a, b in ((4, 1), (1, 4), (0, 3)):
        found = knowing.decode([(coded[a], coded[b])], Outputs())
        for view, n in ((found.points_a, a), (found.points_b, b)):
            expected = points_in(np.linalg.inv(pose(a)), pose(n))
            assert torch.allclose(view, expected, atol=0.02), (a, b)
    only = knowing.decode([(coded[2], coded[3])], Outputs("b", "", ""))
    assert only.points_a is None and only.points_b is not None


def test_a_lens_that_nobody_gives_is_read_off_the_first_frame(knowing: Spann3REngine) -> None:
    coded = [knowing.encode([frame])[0] for frame in frames(4, known=False)]
    camera = knowing._streams["camera"].camera
    assert camera is not None and camera.fx == pytest.approx(55, rel=0.01)
    found = knowing.decode([(coded[2], coded[1])], Outputs())
    assert torch.allclose(found.points_a, points_in(np.linalg.inv(pose(2)), pose(2)), atol=0.05)


def test_each_camera_has_a_memory_of_its_own(engine: Spann3REngine) -> None:
    """And pairs across two of them are predicted without any."""
    left, right = frames(3, camera="left"), frames(3, camera="right")
    coded = engine.encode([one for both in zip(left, right, strict=True) for one in both])
    assert coded[2].data.place.stream is coded[4].data.place.stream
    assert coded[2].data.place.stream is not coded[3].data.place.stream
    across = engine.decode([(coded[2], coded[3])], Outputs())
    alone = [encode_aside(engine, [one])[0] for one in (left[1], right[1])]
    plain = engine.decode([(alone[0], alone[1])], Outputs())
    assert torch.allclose(across.points_b, plain.points_b, atol=1e-5)


def test_frames_looked_at_again_do_not_enter_the_memory(engine: Spann3REngine) -> None:
    shown = frames(5)
    coded = [engine.encode([frame])[0] for frame in shown[:4]]
    size = len(engine._streams["camera"]._stream.memory)
    older = engine.encode([shown[1]])[0]
    assert not isinstance(older.data, StreamEncoding)
    again = engine.encode([shown[3]])[0]
    assert again.data is coded[3].data
    encode_aside(engine, [shown[4]])
    assert len(engine._streams["camera"]._stream.memory) == size
    engine.forget()
    first = engine.encode([shown[0]])[0]
    assert isinstance(first.data, StreamEncoding) and first.data.place.seen is None


def test_mixed_batches_keep_their_order(knowing: Spann3REngine) -> None:
    coded = [knowing.encode([frame])[0] for frame in frames(4)]
    aside = encode_aside(knowing, frames(4)[2:3])[0]
    found = knowing.decode([(coded[2], coded[1]), (aside, coded[1])], Outputs())
    assert found.points_a is not None and found.points_a.shape[0] == 2
    alone = knowing.decode([(aside, coded[1])], Outputs())
    assert torch.allclose(found.points_a[1], alone.points_a[0], atol=1e-5)
    assert torch.allclose(
        found.points_a[0], points_in(np.linalg.inv(pose(2)), pose(2))[0], atol=0.02
    )
