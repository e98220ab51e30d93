# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot whose network runs on a server sees other things than one that carries
the network, or stops when the server does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from networks import small_network
from open_inference_server import OpenInferenceServer, ops
from proxy import Proxy, silence_is_told

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import DistantEngine, EngineAway, Features, Outputs
from dens3r_ros.engines.remote.config import SERVED_AS, RemoteConfig
from dens3r_ros.engines.remote.engine import RemoteEngine, connect
from dens3r_ros.engines.remote.health import LONGEST_PAUSE_S
from dens3r_ros.engines.remote.packing import Packing
from dens3r_ros.engines.serving.service import Service
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame

MODEL = "dens3r-tiny"
ALL = Outputs()
TRACKING = Outputs("ab", "a", "")


@pytest.fixture(scope="module")
def local() -> TorchEngine:
    engine = load_engine("torch", MODEL, "cpu", "fp32")
    assert isinstance(engine, TorchEngine)
    return engine


@pytest.fixture(scope="module")
def small() -> TorchEngine:
    """Answers within milliseconds, where what it says does not matter."""
    return TorchEngine(small_network(), TorchConfig("cpu", "fp32"), "small")


@pytest.fixture
def quick(small: TorchEngine) -> Iterator[OpenInferenceServer]:
    with OpenInferenceServer({SERVED_AS: Service(small)}) as server:
        yield server


@pytest.fixture
def server(local: TorchEngine) -> Iterator[OpenInferenceServer]:
    with OpenInferenceServer({SERVED_AS: Service(local)}) as server:
        yield server


def remote(server: OpenInferenceServer | Proxy, **settings: object) -> RemoteEngine:
    usual = {"timeout": 20.0, "start_timeout": 5.0}
    return connect(RemoteConfig(server.address, **{**usual, **settings}))  # type: ignore[arg-type]


EXACT = {"image_format": "png", "packing": Packing("float32")}


def textured(seed: int, size: tuple[int, int] = (240, 320)) -> Frame:
    """Blobs of several sizes, as a camera would see."""
    random = np.random.default_rng(seed)
    image = np.zeros((*size, 3), np.float32)
    for cells in (4, 12, 40):
        noise = torch.from_numpy(random.normal(size=(1, 3, cells, cells))).float()
        image += torch.nn.functional.interpolate(noise, size, mode="bicubic")[0].permute(
            1, 2, 0
        ).numpy() * (40 / cells**0.3)
    return Frame((image + 128).clip(0, 255).astype(np.uint8), seed)


def patiently(client: RemoteEngine, a: Features, b: Features) -> bool:
    """Whether a pair is decoded within some seconds, however often it fails before."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            return client.decode([(a, b)], TRACKING).points_a is not None
        except EngineAway:
            time.sleep(0.02)
    return False


def until(true: Callable[[], bool]) -> None:
    """Wait for it, at most some seconds."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def both(engine: object, frames: list[Frame], outputs: Outputs = ALL):  # type: ignore[no-untyped-def]
    a, b = engine.encode(frames)  # type: ignore[attr-defined]
    return engine.decode([(a, b), (b, a)], outputs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(240, 320), (320, 240)], ids=["landscape", "portrait"])
def test_without_loss_results_are_the_local_ones(
    size: tuple[int, int], local: TorchEngine, server: OpenInferenceServer
) -> None:
    frames = [textured(1, size), textured(2, size)]
    there, here = both(remote(server, **EXACT), frames), both(local, frames)
    for name, expected in vars(here).items():
        if expected is not None:
            found = getattr(there, name)
            assert found.shape == expected.shape
            assert (found - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def test_placement_and_camera_are_the_local_ones(
    local: TorchEngine, server: OpenInferenceServer
) -> None:
    frame = textured(1, (200, 333))
    there, here = remote(server).encode([frame])[0], local.encode([frame])[0]
    assert there.placement == here.placement
    assert replace(remote(server).info, name="torch", device="cpu") == local.info


def test_maps_come_back_to_the_stated_errors(
    local: TorchEngine, server: OpenInferenceServer
) -> None:
    frames = [textured(1), textured(2)]
    here = both(local, frames)
    for bits, of_confidence, degrees in ((8, 0.016, 1.0), (16, 2e-4, 0.01)):
        engine = remote(server, image_format="png", packing=Packing("float16", bits))
        there = both(engine, frames)
        for view in "ab":
            points, true = getattr(there, f"points_{view}"), getattr(here, f"points_{view}")
            assert ((points - true).norm(dim=-1) / true.norm(dim=-1)).max() < 1e-3
            sure, truly = (getattr(one, f"confidence_{view}") for one in (there, here))
            assert (sure / truly - 1).abs().max() < of_confidence
            normals, right = (getattr(one, f"normals_{view}") for one in (there, here))
            cosine = (normals * right).sum(-1).clamp(-1, 1)
            assert torch.rad2deg(torch.acos(cosine.double())).max() < degrees + 0.05


def test_a_frame_costs_few_bytes(local: TorchEngine) -> None:
    """60 kB up and 250 kB down: what a robot's radio can carry ten times a second."""
    engine = load_engine("torch", MODEL, "cpu", "fp32", 224)
    with OpenInferenceServer({SERVED_AS: Service(engine)}) as server:
        client = remote(server)
        old, new = client.encode([textured(1), textured(2)])
        client.decode([(old, old)], TRACKING)
        sent, received = (client.health.counted(what) for what in ("sent", "received"))
        assert new.placement.size == (168, 224)
        client.decode([(new, old)], TRACKING)
        up = client.health.counted("sent") - sent + len(new.data.picture.data)
        assert up < 60_000
        assert client.health.counted("received") - received < 250_000


def test_images_go_there_once(quick: OpenInferenceServer) -> None:
    client = remote(quick)
    a, b = client.encode([textured(1), textured(2)])
    until(lambda: a.data.sent is not None)
    a.data.sent.result()
    assert ops(quick.calls)[-1] == "encode"
    quick.calls.clear()
    client.decode([(a, b), (a, a)], TRACKING)
    client.decode([(b, a)], TRACKING)
    assert ops(quick.calls) == ["decode", "decode"]
    assert all(not call.data for call in quick.calls)


def test_what_is_decoded_at_once_takes_one_call(quick: OpenInferenceServer) -> None:
    """Each costs a robot its way there and back."""
    client = remote(quick)
    quick.calls.clear()
    a, b = client.encode([textured(1), textured(2)])
    client.decode([(a, b)], TRACKING)
    time.sleep(0.05)
    assert ops(quick.calls) == ["decode"]


def test_what_the_server_forgot_is_sent_again(
    small: TorchEngine, quick: OpenInferenceServer
) -> None:
    client = remote(quick, **EXACT)
    frames = [textured(1), textured(2)]
    a, b = client.encode(frames)
    first = client.decode([(a, b)], TRACKING)
    quick.models[SERVED_AS] = Service(small)
    again = client.decode([(a, b)], TRACKING)
    assert torch.equal(again.points_a, first.points_a)
    assert client.health.counted("again") == 2


def test_features_beyond_the_cache_are_forgotten_and_come_back(small: TorchEngine) -> None:
    service = Service(small, cache_bytes=250_000)
    with OpenInferenceServer({SERVED_AS: service}) as server:
        client = remote(server)
        kept = client.encode([textured(n) for n in range(8)])
        for other in kept:
            client.decode([(other, kept[0])], TRACKING)
        assert service.cache.size <= service.cache.limit
        assert service.cache.forgotten and client.health.counted("again")


def test_encoding_does_not_wait_for_the_server(quick: OpenInferenceServer) -> None:
    client = remote(quick)
    quick.before = lambda call: time.sleep(0.5 if call.head["op"] == "encode" else 0)
    began = time.monotonic()
    a = client.encode([textured(1)])[0]
    assert time.monotonic() - began < 0.4
    assert client.decode([(a, a)], TRACKING).points_a is not None


def test_a_server_of_another_model_is_refused(
    small: TorchEngine, quick: OpenInferenceServer
) -> None:
    with pytest.raises(ValueError, match=r"runs small .* not abc: start the server"):
        remote(quick, model_hash="abc")
    with pytest.raises(ValueError, match=r"runs small .* not mast3r-512: start the server"):
        remote(quick, model="mast3r-512")
    client = remote(quick)
    a = client.encode([textured(1)])[0]
    other = Service(small)
    other._standing = {"model": "small", "hash": "0123"}
    quick.models[SERVED_AS] = other
    with pytest.raises(EngineAway, match="0123 now, but this map"):
        client.decode([(a, a)], TRACKING)
    assert "start that model again" in client.trouble


def test_one_server_may_have_several_models(small: TorchEngine) -> None:
    with OpenInferenceServer({"two": Service(small)}) as server:
        assert connect(RemoteConfig(f"{server.address}/two")).info.model == "small"
        with pytest.raises(ValueError, match="has no model 'dens3r' ready"):
            remote(server, start_timeout=0.1)


def test_no_server_is_told_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"within 0 s: .* cannot be reached.*dens3r serve"):
        connect(RemoteConfig("grpc://127.0.0.1:9", start_timeout=0.2))


def test_a_server_that_goes_is_told_and_used_when_it_is_back(
    small: TorchEngine, quick: OpenInferenceServer
) -> None:
    client = remote(quick, timeout=5.0)
    assert isinstance(client, DistantEngine)
    a, b = client.encode([textured(1), textured(2)])
    client.decode([(a, b)], TRACKING)
    port = quick.port
    quick.close()
    with pytest.raises(EngineAway, match="cannot be reached"):
        client.decode([(a, b)], TRACKING)
    assert "cannot be reached" in client.trouble
    c = client.encode([textured(3)])[0]
    began, tries = time.monotonic(), 0
    while time.monotonic() - began < 1.5:
        tries += 1
        with pytest.raises(EngineAway):
            client.decode([(a, b)], TRACKING)
        time.sleep(0.01)
    assert tries > 3 * (client.health.counted("failures")), "pauses do not grow"
    with OpenInferenceServer({SERVED_AS: Service(small)}, port):
        assert patiently(client, c, a)
    assert LONGEST_PAUSE_S <= 1.0, "a server that is back is used within two seconds"


def test_nothing_blocks_for_longer_than_the_time_out(quick: OpenInferenceServer) -> None:
    """A radio shadow: the connection stands, nothing comes."""
    with Proxy(quick.port) as proxy:
        client = remote(proxy, timeout=1.0)
        a = client.encode([textured(1)])[0]
        client.decode([(a, a)], TRACKING)
        silence_is_told(proxy, client, a, TRACKING)
        assert patiently(client, a, a)
        proxy.drop()
        assert patiently(client, a, a)


def test_a_late_network_only_makes_answers_late(quick: OpenInferenceServer) -> None:
    with Proxy(quick.port) as proxy:
        client = remote(proxy)
        a = client.encode([textured(1)])[0]
        proxy.delay = 0.1
        assert client.decode([(a, a)], TRACKING).points_a is not None


def test_what_cannot_be_is_refused_by_the_server_and_told(quick: OpenInferenceServer) -> None:
    client = remote(quick)
    a = client.encode([textured(1)])[0]
    with pytest.raises(ValueError, match="looks at pairs of images only"):
        client.decode_window([a], TRACKING)
    assert not client.trouble
