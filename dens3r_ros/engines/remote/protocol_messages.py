# SPDX-License-Identifier: Apache-2.0
"""The messages of the open inference protocol (KServe v2, gRPC) that are used here.

They are described in place and not generated, so that they work with every protobuf from 4.22 on;
fields that nobody reads are left out, which protobuf allows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

SERVICE = "inference.GRPCInferenceService"
_STRING, _BYTES, _INT64, _BOOL = 9, 12, 3, 8  # as descriptor.proto numbers them
_Field = tuple[str, int, int | str, bool]
"""Name, number, type or message, whether repeated."""

_TENSOR: tuple[_Field, ...] = (
    ("name", 1, _STRING, False),
    ("datatype", 2, _STRING, False),
    ("shape", 3, _INT64, True),
)
_MESSAGES: dict[str, tuple[_Field, ...]] = {
    "InferInputTensor": _TENSOR,
    "InferOutputTensor": _TENSOR,
    "InferRequestedOutputTensor": (("name", 1, _STRING, False),),
    "ModelInferRequest": (
        ("model_name", 1, _STRING, False),
        ("model_version", 2, _STRING, False),
        ("id", 3, _STRING, False),
        ("inputs", 5, "InferInputTensor", True),
        ("outputs", 6, "InferRequestedOutputTensor", True),
        ("raw_input_contents", 7, _BYTES, True),
    ),
    "ModelInferResponse": (
        ("model_name", 1, _STRING, False),
        ("model_version", 2, _STRING, False),
        ("id", 3, _STRING, False),
        ("outputs", 5, "InferOutputTensor", True),
        ("raw_output_contents", 6, _BYTES, True),
    ),
    "ModelReadyRequest": (("name", 1, _STRING, False), ("version", 2, _STRING, False)),
    "ModelReadyResponse": (("ready", 1, _BOOL, False),),
}


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="open_inference_part.proto", package="inference", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            entry = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                entry.type, entry.type_name = 11, f".inference.{kind}"
            else:
                entry.type = kind
    # A pool of its own: tritonclient's full description may be loaded in the same process.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}"))
        for name in _MESSAGES
    }


def message(name: str) -> Any:
    """The class of a message, `ModelInferRequest` for one."""
    return _classes()[name]
