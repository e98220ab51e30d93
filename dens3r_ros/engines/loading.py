# SPDX-License-Identifier: Apache-2.0
"""`load_engine`: from what a person names to an engine that runs."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from dens3r_ros.engines.monocular import MonocularNetwork
from dens3r_ros.engines.protocol import Engine
from dens3r_ros.model_store.choice import Choice, choose
from dens3r_ros.model_store.manifest import ModelError, load_manifest, resolve_model

if TYPE_CHECKING:
    from dens3r_ros.engines.remote.config import RemoteConfig
    from dens3r_ros.engines.splatting.engine import SplattingEngine
    from dens3r_ros.network import Network
    from dens3r_ros.network.checkpoints.families import AnyNetwork

logger = logging.getLogger(__name__)

SHIPPED = "dens3r-tiny"
"""The network that the hybrid engine takes unless another one is named."""
_NO_NETWORK = (
    "as named; no model was, and none of single images lies on this machine, so the small"
    f" {SHIPPED} tells depth: dens3r models list has better ones"
)
_ALIKE = 1.5
"""Factor on the number of parameters within which a file is the model it is named after; published
files hold some that nothing here uses."""
ENGINES = ("auto", "torch", "onnx", "geometric", "hybrid", "remote")

FALLBACKS = ("", "geometric")
"""What may help out while the server of engine remote is away."""


def choose_engine(name: str = "auto", model: str = "") -> Choice:
    """What runs for what a person named; ValueError with a sentence where that is nothing.

    "auto" is the model named, else what `model_store.choice` finds; "hybrid" without a model takes
    that where it is one of single images, else the shipped network.
    """
    if ":" in name:
        return Choice(name, "", "as named")
    if name not in ENGINES:
        raise ValueError(f"engine {name!r} is none of {', '.join(ENGINES)}, module:factory")
    if name == "geometric":
        return Choice(name, "", "as named")
    if name == "remote":
        return Choice(name, model, "as named")
    if model:
        return Choice(_kind(name, model), model, "as named")
    found = choose()
    if name == "hybrid" and found.engine != "hybrid":
        return Choice(name, SHIPPED, _NO_NETWORK)
    if name not in ("auto", found.engine):
        raise ValueError(f"engine {name} needs a model: a path, or a name of dens3r models list")
    return found


def _kind(name: str, model: str) -> str:
    """The engine that runs a model, where "auto" leaves it open."""
    if name != "auto":
        return name
    if _is_export(model):
        from dens3r_ros.engines.onnx.opening import exports_single_images

        return "hybrid" if exports_single_images(Path(model).expanduser()) else "onnx"
    known = load_manifest().get(model)
    if known is not None:
        return known.engine
    return "hybrid" if _sees_single_images(Path(model).expanduser()) else "torch"


def _sees_single_images(path: Path) -> bool:
    """Whether a file or folder is of a network that knows nothing of motion."""
    if not path.exists():
        return False
    from dens3r_ros.network import WeightsError
    from dens3r_ros.network.checkpoints.families import SINGLE_IMAGE
    from dens3r_ros.network.checkpoints.read import read_weights

    try:
        return isinstance(read_weights(path).description, SINGLE_IMAGE)
    except WeightsError:
        return False  # Loading it will say what is wrong.


def load_engine(
    name: str = "auto",
    model: str = "",
    device: str = "auto",
    precision: str = "auto",
    max_side: int = 0,
    size: int = 0,
) -> Engine:
    """The engine of that name.

    "torch" and "onnx" run `model`: a path, a name of `dens3r models list`, or `random:NAME` for a
    published network without its weights. "geometric" needs none. "hybrid" joins that with the
    depth that `model` sees in single images. "auto" is as
    `choose_engine` has it. "module:factory" is called without arguments. `max_side` is the long
    side in pixels to work at, 0 the engine's own choice; `size` that of the images a network sees,
    0 for `max_side`. Of "hybrid" `max_side` is that of the geometric part alone. Errors are
    ValueErrors with a sentence.
    """
    chosen = choose_engine(name, model)
    if ":" in chosen.engine:
        return _custom(chosen.engine)
    if chosen.engine == "remote":
        raise ValueError("engine remote needs engine.address: grpc://host:port of its server")
    if chosen.engine == "hybrid":
        if chosen.why == _NO_NETWORK:
            logger.warning("engine hybrid, %s", _NO_NETWORK)
        return _hybrid(chosen.model, device, precision, max_side, size)
    if chosen.engine == "geometric":
        return _geometric(max_side)
    if chosen.engine == "onnx":
        from dens3r_ros.engines.onnx.opening import open_engine

        return open_engine(chosen.model, device, precision, size or max_side)
    return _torch(chosen.model, device, precision, size or max_side)


def load_remote(config: RemoteConfig, fallback: str = "geometric", max_side: int = 0) -> Engine:
    """A network on a server; `fallback` helps out while that is away, "" is nothing. ValueErrors
    with a sentence."""
    from dens3r_ros.engines.remote.engine import connect
    from dens3r_ros.engines.remote.fallback import FallbackEngine

    if fallback not in FALLBACKS:
        raise ValueError(f"engine.fallback {fallback!r} is none of {', '.join(FALLBACKS)}")
    engine = connect(config)
    return FallbackEngine(engine, _geometric(max_side)) if fallback else engine


def load_monocular(
    model: str, device: str = "auto", precision: str = "auto", size: int = 0
) -> MonocularNetwork:
    """A network that sees depth in single images: any model of pairs looking at an image beside
    itself, or what "module:factory" makes; ValueError where it sees none. `size` as above."""
    from dens3r_ros.engines.looking_alone import LookingAlone

    if ":" in model and not model.startswith("random:"):
        made = _made_by(model)
        if isinstance(made, MonocularNetwork):
            return made
        return LookingAlone(_checked(model, made))
    from dens3r_ros.engines.single_view import SingleView, SingleViewNetwork

    if _kind("auto", model) == "hybrid" and _is_export(model):
        from dens3r_ros.engines.onnx.opening import open_single

        return open_single(model, device, precision, size)
    if not _is_export(model):
        network = load_any_network(model)
        if isinstance(network, SingleViewNetwork):
            return SingleView(network, device, precision, Path(model).stem, size)
    name = "onnx" if _is_export(model) else "torch"
    return LookingAlone(load_engine(name, model, device, precision, size=size))


def load_splatting(
    model: str, device: str = "auto", precision: str = "auto", max_side: int = 0
) -> SplattingEngine:
    """The engine of a Splatt3R or NoPoSplat: a path, or a name of `dens3r models list`; ModelError
    where the model is something else."""
    from dens3r_ros.engines.precision import choose_device, choose_precision
    from dens3r_ros.engines.splatting.engine import PairSplatting, ViewSplatting
    from dens3r_ros.engines.torch_engine import TorchConfig
    from dens3r_ros.network.descendants.noposplat import NoPoSplat
    from dens3r_ros.network.descendants.splatt3r import Splatt3R

    choose_precision(precision, choose_device(device))
    network, config = load_any_network(model), TorchConfig(device, precision, max_side)
    if isinstance(network, Splatt3R):
        return PairSplatting(network, config, Path(model).stem)
    if isinstance(network, NoPoSplat):
        return ViewSplatting(network, config, Path(model).stem)
    raise ModelError(f"{model} predicts no splats; Splatt3R and NoPoSplat do")


def load_any_network(model: str) -> AnyNetwork:
    """The network of a path, of a name of `dens3r models list`, or `random:NAME`; float32, CPU."""
    from dens3r_ros.engines.random_weights import PREFIX, random_network
    from dens3r_ros.network import load_network

    if model.startswith(PREFIX):
        return random_network(model.removeprefix(PREFIX))
    network = load_network(resolve_model(model))
    _check_as_named(model, network)
    return network


def _check_as_named(model: str, network: AnyNetwork) -> None:
    """Refuse a file that lies where a much larger or smaller model of that name should."""
    known = load_manifest().get(model)
    if known is None or known.parameters is None:
        return
    count = network.info.parameters
    if not 1 / _ALIKE < count / known.parameters < _ALIKE:
        raise ModelError(
            f"the file of {model} holds a network of {count / 1e6:.0f} million parameters, not of"
            f" {known.parameters / 1e6:.0f}: another model; dens3r models fetch {model} brings it"
        )


def load_named_network(model: str) -> Network:
    """The same, where only a network of pairs will do."""
    from dens3r_ros.network import Network

    network = load_any_network(model)
    if not isinstance(network, Network):
        raise ModelError(f"{model} is a network of many views; this works with networks of pairs")
    return network


def _is_export(model: str) -> bool:
    return (Path(model).expanduser() / "export.json").is_file()


def _custom(name: str) -> Engine:
    return _checked(name, _made_by(name))


def _made_by(name: str) -> object:
    module, _, factory = name.partition(":")
    try:
        return getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"engine {name!r} cannot be imported: {error}") from error


def _checked(name: str, engine: object) -> Engine:
    if not isinstance(engine, Engine):
        raise ValueError(
            f"{name} gave {type(engine).__name__}, which lacks info, encode or decode of an engine"
        )
    return engine


def _hybrid(model: str, device: str, precision: str, max_side: int, size: int) -> Engine:
    from dens3r_ros.engines.hybrid import HybridConfig, HybridEngine

    return HybridEngine(load_monocular(model, device, precision, size), HybridConfig(max_side))


def _geometric(max_side: int) -> Engine:
    from dens3r_ros.engines.geometric.engine import GeometricConfig, GeometricEngine

    return GeometricEngine(GeometricConfig(max_side=max_side))


def _torch(model: str, device: str, precision: str, size: int) -> Engine:
    from dens3r_ros.engines.precision import choose_device, choose_precision
    from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
    from dens3r_ros.engines.views.engine import ViewsEngine, ViewsNetwork
    from dens3r_ros.network import Network

    # A device that is not there is told before a large network is read.
    choose_precision(precision, choose_device(device))
    network, config = load_any_network(model), TorchConfig(device, precision, size)
    name = Path(model).stem
    if isinstance(network, Network):
        return TorchEngine(network, config, name)
    if isinstance(network, ViewsNetwork):
        return ViewsEngine(network, config, name)
    from dens3r_ros.engines.family.loading import family_engine

    engine = family_engine(network, config, model, name)
    if engine is not None:
        return engine
    raise ModelError(
        f"{model} sees one image and knows nothing of motion: run it beside geometry, by engine"
        " hybrid"
    )
