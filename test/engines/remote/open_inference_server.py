# SPDX-License-Identifier: Apache-2.0
"""A small server of the open inference protocol in this process, where Triton is not needed: what
it answers comes from the same service that runs inside Triton."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from dens3r_ros.engines.remote.link import content_of, element
from dens3r_ros.engines.remote.protocol_messages import SERVICE, message
from dens3r_ros.engines.remote.wire import Message
from dens3r_ros.engines.serving.service import Service


class OpenInferenceServer:
    """Serves models by name; `token` is what calls must bring, `tls` key and certificate (PEM)."""

    def __init__(
        self,
        models: dict[str, Service],
        port: int = 0,
        token: str = "",
        tls: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.models, self.token = models, token
        self.calls: list[Message] = []
        self.before: Callable[[Message], None] = lambda call: None
        self._server = grpc.server(
            ThreadPoolExecutor(8),
            options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
        )
        methods = {
            "ModelInfer": (self._infer, "ModelInferRequest"),
            "ModelReady": (self._ready, "ModelReadyRequest"),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._guarded(handler),
                request_deserializer=message(request).FromString,
                response_serializer=lambda one: one.SerializeToString(),
            )
            for name, (handler, request) in methods.items()
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        address = f"127.0.0.1:{port}"
        if tls is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
        self._server.start()

    @property
    def address(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.stop(0).wait()

    def __enter__(self) -> OpenInferenceServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _guarded(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def guarded(request: Any, context: Any) -> Any:
            given = dict(context.invocation_metadata()).get("authorization", "")
            if self.token and given != f"Bearer {self.token}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
            return handler(request, context)

        return guarded

    def _infer(self, request: Any, context: Any) -> Any:
        if request.model_name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model {request.model_name}")
        call = Message.read(*(content_of(one) for one in request.raw_input_contents))
        self.calls.append(call)
        self.before(call)
        answer = self.models[request.model_name].answer([call])[0]
        tensor = message("InferOutputTensor")
        return message("ModelInferResponse")(
            model_name=request.model_name,
            outputs=[
                tensor(name=name, datatype="BYTES", shape=[1, 1]) for name in ("answer", "data")
            ],
            raw_output_contents=[element(answer.text), element(answer.data)],
        )

    def _ready(self, request: Any, context: Any) -> Any:
        return message("ModelReadyResponse")(ready=request.name in self.models)


def ops(calls: Sequence[Message]) -> list[str]:
    """What was asked for, in order."""
    return [call.head["op"] for call in calls]
