# SPDX-License-Identifier: Apache-2.0
"""The parts of an exported network, each opened when it is first run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.engines.onnx.manifest import ExportManifest
from dens3r_ros.engines.onnx.providers import (
    Provider,
    announce_build,
    choose_providers,
    engine_cache,
    with_options,
)

logger = logging.getLogger(__name__)
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class OnnxConfig:
    """How an exported network is run.

    device   "auto" (TensorRT, CUDA, CPU: the first that works), "cpu", "cuda", "cuda:1", ...
    exact    preprocess exactly as published, slower, instead of with OpenCV
    threads  of the CPU, 0 for one per core
    """

    device: str = "auto"
    exact: bool = False
    threads: int = 0


class Sessions:
    """Runs parts of an export by name."""

    def __init__(self, folder: Path, manifest: ExportManifest, config: OnnxConfig) -> None:
        self._folder, self._manifest, self._config = folder, manifest, config
        self._open: dict[str, Any] = {}

    @property
    def opened(self) -> frozenset[str]:
        """The parts that were run so far."""
        return frozenset(self._open)

    def device(self, *parts: str) -> str:
        """What the first of these parts runs on; all of them are opened."""
        used = [self._session(part).get_providers()[0] for part in parts]
        return str(used[0]).removesuffix("ExecutionProvider")

    def run(self, part: str, arrays: Arrays) -> Arrays:
        """The outputs of a part by name, of those of `arrays` that it takes."""
        session = self._session(part)
        names = self._manifest.parts[part].outputs
        feeds = {one.name: arrays[one.name] for one in session.get_inputs()}
        return dict(zip(names, session.run(list(names), feeds), strict=True))

    def _session(self, part: str) -> Any:
        if part not in self._open:
            self._open[part] = self._opened(part)
        return self._open[part]

    def _opened(self, part: str) -> Any:
        import onnxruntime

        device = self._config.device
        names = choose_providers(device, onnxruntime.get_available_providers())
        announce_build(names, engine_cache(self._manifest))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._config.threads
        path = self._folder / self._manifest.parts[part].file
        wanted = with_options(names, self._manifest, self._manifest.parts[part], device)
        return _open_with_fallback(path, options, wanted)


def _open_with_fallback(path: Path, options: Any, providers: Sequence[Provider]) -> Any:
    """A session on the first provider that takes the file; each that does not is warned about."""
    import onnxruntime

    for index, (name, _) in enumerate(providers):
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=list(providers[index:])
            )
        except RuntimeError as error:
            if index + 1 == len(providers):
                raise
            logger.warning("%s cannot run %s: %s; trying the next", name, path.name, error)
            continue
        if session.get_providers()[0] != name:
            used = session.get_providers()[0]
            logger.warning("%s does not work here; %s runs on %s", name, path.name, used)
        return session
    raise ValueError("no provider to run on")
