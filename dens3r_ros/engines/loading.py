# SPDX-License-Identifier: Apache-2.0
"""`load_engine`: from what a person names to an engine that runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.model_store.manifest import ModelError, preferred_model, resolve_model

if TYPE_CHECKING:
    from dens3r_ros.network import Network

ENGINES = ("auto", "torch", "onnx", "geometric")


def load_engine(
    name: str = "auto",
    model: str = "",
    device: str = "auto",
    precision: str = "auto",
    max_side: int = 0,
) -> Engine:
    """The engine of that name.

    "torch" and "onnx" run `model`: a path, a name of `dens3r models list`, or `random:NAME` for a
    published network without its weights. "geometric" needs none. "auto" runs the model named,
    else what the manifest records as better. "module:factory" is called without arguments.
    `max_side` is the long side in pixels to work at, 0 the engine's own choice. Errors are
    ValueErrors with a sentence.
    """
    if ":" in name:
        return _custom(name)
    if name not in ENGINES:
        raise ValueError(f"engine {name!r} is none of {', '.join(ENGINES)}, module:factory")
    if name != "geometric" and not model:
        model = preferred_model() or ""
        if name != "auto" and not model:
            raise ValueError(
                f"engine {name} needs a model: a path, or a name of dens3r models list"
            )
    if name == "geometric" or not model:
        return _geometric(max_side)
    if name == "onnx" or (name == "auto" and _is_export(model)):
        return _onnx(model, device, precision, max_side)
    return _torch(model, device, precision, max_side)


def load_named_network(model: str) -> Network:
    """The network of a path, of a name of `dens3r models list`, or `random:NAME`; float32, CPU."""
    from dens3r_ros.engines.random_weights import PREFIX, random_network
    from dens3r_ros.network import load_network

    if model.startswith(PREFIX):
        return random_network(model.removeprefix(PREFIX))
    return load_network(resolve_model(model))


def _is_export(model: str) -> bool:
    return (Path(model).expanduser() / "export.json").is_file()


def _custom(name: str) -> Engine:
    module, _, factory = name.partition(":")
    try:
        engine = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"engine {name!r} cannot be imported: {error}") from error
    if not isinstance(engine, Engine):
        raise ValueError(
            f"{name} gave {type(engine).__name__}, which lacks info, encode or decode of an engine"
        )
    return engine


def _geometric(max_side: int) -> Engine:
    from dens3r_ros.engines.geometric.engine import GeometricConfig, GeometricEngine

    return GeometricEngine(GeometricConfig(max_side=max_side))


def _torch(model: str, device: str, precision: str, max_side: int) -> Engine:
    from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine

    network = load_named_network(model)
    return TorchEngine(network, TorchConfig(device, precision, max_side), Path(model).stem)


def _onnx(model: str, device: str, precision: str, max_side: int) -> Engine:
    from dens3r_ros.engines.onnx.engine import OnnxConfig, OnnxEngine

    folder = resolve_model(model)
    if not _is_export(str(folder)):
        raise ModelError(
            f"{folder} is not an exported network; make one with:"
            f" dens3r export --model {model} --out DIR"
        )
    if precision != "auto" or max_side:
        raise ValueError(
            "precision and image size of an exported network are fixed when it is exported:"
            " leave them at auto and 0, or export it again"
        )
    return OnnxEngine(folder, OnnxConfig(device))
