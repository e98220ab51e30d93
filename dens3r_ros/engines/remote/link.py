# SPDX-License-Identifier: Apache-2.0
"""Calls to one model of a server: connection, time-outs, and failures as sentences."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from dens3r_ros.engines.protocol import EngineAway
from dens3r_ros.engines.remote.config import RemoteConfig, read_secret
from dens3r_ros.engines.remote.health import Health
from dens3r_ros.engines.remote.protocol_messages import SERVICE, message
from dens3r_ros.engines.remote.wire import FAILED, Message

_PROBE_S = 0.5
"""Seconds that a server which was away has to say that it is ready."""
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Robots that share a process, as in a benchmark, each have their own connection.
    ("grpc.use_local_subchannel_pool", 1),
]
NEEDED = "the remote engine needs grpcio and protobuf: pip install 'dens3r_ros[remote]'"


class ServerLink:
    """One model of one server."""

    def __init__(self, config: RemoteConfig) -> None:
        self.config = config
        self.model = config.served_as
        self.health = Health()
        self._lock = threading.Lock()
        self._metadata = _metadata(config)
        self._credentials = _credentials(config)
        self._channel = self._connected()

    def ask(self, call: Message, timeout: float) -> Message:
        """The answer; EngineAway where there is none within `timeout` seconds, or none is expected
        yet."""
        self.health.check()
        if not self.health.well:
            self._probe(min(_PROBE_S, timeout))
        began = time.monotonic()
        reply = self._now("ModelInfer", self._request(call), "ModelInferResponse", timeout)
        answer = self._read(reply)
        self.health.worked(time.monotonic() - began)
        return answer

    def send(self, call: Message, timeout: float) -> Any:
        """Begin a call and come back at once: a future of it, or None where the server is away."""
        if not self.health.well:
            return None
        stub = self._stub("ModelInfer", "ModelInferResponse")
        return stub.future(self._request(call), timeout=timeout, metadata=self._metadata)

    def _probe(self, timeout: float) -> None:
        request = message("ModelReadyRequest")(name=self.model)
        if not self._now("ModelReady", request, "ModelReadyResponse", timeout).ready:
            raise self.health.failed(f"{self.config.target} has no model {self.model!r} ready")

    def _now(self, method: str, request: Any, reply: str, timeout: float) -> Any:
        import grpc

        channel = self._channel
        try:
            stub = self._stub(method, reply)
            return stub(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                # A connection on which nothing comes may stay silent for minutes.
                self._begin_anew(channel)
            raise self.health.failed(self._sentence(error, timeout)) from None

    def _begin_anew(self, old: Any) -> None:
        with self._lock:
            if self._channel is old:
                self._channel = self._connected()
                old.close()

    def _connected(self) -> Any:
        import grpc

        if self._credentials is None:
            return grpc.insecure_channel(self.config.target, _OPTIONS)
        return grpc.secure_channel(self.config.target, self._credentials, _OPTIONS)

    def _stub(self, method: str, reply: str) -> Any:
        return self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=message(reply).FromString,
        )

    def _request(self, call: Message) -> Any:
        contents = [element(part) for part in (call.text, call.data)]
        self.health.count("sent", sum(map(len, contents)))
        tensor = message("InferInputTensor")
        return message("ModelInferRequest")(
            model_name=self.model,
            inputs=[tensor(name=name, datatype="BYTES", shape=[1, 1]) for name in ("call", "data")],
            raw_input_contents=contents,
        )

    def _read(self, reply: Any) -> Message:
        found = {one.name: n for n, one in enumerate(reply.outputs)}
        contents = reply.raw_output_contents
        try:
            parts = [content_of(contents[found[name]]) for name in ("answer", "data")]
            answer = Message.read(*parts)
        except (KeyError, IndexError, ValueError, struct.error) as error:
            raise ValueError(
                f"model {self.model} of {self.config.target} does not answer as one that"
                " `dens3r serve` or `dens3r export --triton` made"
            ) from error
        self.health.count("received", sum(map(len, contents)))
        if "error" in answer.head:
            text = f"{self.config.target} says: {answer.head['error']}"
            raise self.health.failed(text) if answer.head["kind"] == FAILED else ValueError(text)
        return answer

    def _sentence(self, error: Any, timeout: float) -> str:
        import grpc

        code, target, details = error.code(), self.config.target, error.details() or ""
        first = details.splitlines()[0] if details else code.name
        known: dict[Any, str] = {
            grpc.StatusCode.DEADLINE_EXCEEDED: f"{target} did not answer within {timeout:.1f} s",
            grpc.StatusCode.NOT_FOUND: f"{target} has no model {self.model!r} ready",
            grpc.StatusCode.UNAUTHENTICATED: f"{target} does not take the token: {first}",
            grpc.StatusCode.PERMISSION_DENIED: f"{target} does not take the token: {first}",
            grpc.StatusCode.RESOURCE_EXHAUSTED: f"{target} has no room for more calls: {first}",
        }
        if code is grpc.StatusCode.UNAVAILABLE and "queue" in details.lower():
            return f"{target} has no room for more calls: {first}"
        if code is grpc.StatusCode.UNAVAILABLE:
            return f"{target} cannot be reached: {first}{self._of_tls(details.lower())}"
        return known.get(code, f"{target} could not answer ({code.name}): {first}")

    def _of_tls(self, details: str) -> str:
        """A guess where one side speaks TLS and the other does not, of which gRPC says little."""
        if self.config.safe and any(word in details for word in ("ssl", "tls", "handshake")):
            return (
                "; either it speaks no TLS (then write grpc://), or nobody in remote.ca_file signed"
                " its certificate"
            )
        closed = "closed" in details or "reset" in details
        return "; it may want TLS: grpcs://" if closed and not self.config.safe else ""


def element(content: bytes) -> bytes:
    """One element of a BYTES tensor as it travels."""
    return struct.pack("<I", len(content)) + content


def content_of(tensor: bytes) -> bytes:
    """The only element of a BYTES tensor; ValueError where there is another number of them."""
    (length,) = struct.unpack_from("<I", tensor)
    if len(tensor) != 4 + length:
        raise ValueError(f"{len(tensor)} bytes are not one element of {length}")
    return tensor[4:]


def _metadata(config: RemoteConfig) -> Sequence[tuple[str, str]]:
    if not config.token_file:
        return ()
    token = read_secret(config.token_file, "remote.token_file").decode("ascii", "replace").strip()
    return (("authorization", f"Bearer {token}"),)


def _credentials(config: RemoteConfig) -> Any:
    try:
        import grpc
    except ImportError as error:
        raise ValueError(NEEDED) from error
    if not config.safe:
        return None
    files = {
        "root_certificates": (config.ca_file, "remote.ca_file"),
        "private_key": (config.key_file, "remote.key_file"),
        "certificate_chain": (config.cert_file, "remote.cert_file"),
    }
    given = {k: read_secret(path, what) if path else None for k, (path, what) in files.items()}
    return grpc.ssl_channel_credentials(**given)


def until_answered(attempt: Callable[[], Any], seconds: float, told: Callable[[str], None]) -> Any:
    """Try again until there is an answer; EngineAway once `seconds` have passed."""
    deadline = time.monotonic() + seconds
    said = ""
    while True:
        try:
            return attempt()
        except EngineAway as error:
            if time.monotonic() > deadline:
                raise
            if str(error) != said:
                said = str(error)
                told(said)
            time.sleep(0.1)
