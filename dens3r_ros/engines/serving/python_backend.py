# SPDX-License-Identifier: Apache-2.0
"""The class that Triton's Python backend looks for in a repository's model.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import WarmingEngine
from dens3r_ros.engines.serving.batches import INPUTS, OUTPUTS, answer_arrays
from dens3r_ros.engines.serving.repository import BESIDE, SETTINGS, ServedNetwork
from dens3r_ros.engines.serving.service import Service


class TritonPythonModel:
    """Loads the network of its version's folder, and answers batches of calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and warm up; Triton says that the model is ready only afterwards."""
        folder = Path(args["model_repository"]) / args["model_version"]
        network = ServedNetwork(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
        device = network.device
        if args["model_instance_kind"] == "GPU":
            device = f"cuda:{args['model_instance_device_id']}"
        model = network.model or str(network_in(folder / BESIDE))
        engine = load_engine("auto", model, device, network.precision, network.max_side)
        if isinstance(engine, WarmingEngine):
            engine.warm_up()
        self._service = Service(engine, network.cache_bytes)

    def execute(self, requests: list[Any]) -> list[Any]:
        """A response for every request."""
        import triton_python_backend_utils as triton

        arrays = [
            {name: triton.get_input_tensor_by_name(one, name).as_numpy() for name in INPUTS}
            for one in requests
        ]
        return [
            triton.InferenceResponse([triton.Tensor(name, found[name]) for name in OUTPUTS])
            for found in answer_arrays(self._service, arrays)
        ]

    def finalize(self) -> None:
        """Say what was done, for whoever tunes the batches."""
        batches = dict(sorted(self._service.batches.items()))
        print(f"decodings by pairs in a batch: {batches}", flush=True)


def network_in(folder: Path) -> Path:
    """An export is its folder, a checkpoint the only file in it."""
    if (folder / "export.json").is_file():
        return folder
    files = sorted(one for one in folder.iterdir() if one.is_file())
    if len(files) != 1:
        raise ValueError(f"{folder} must hold an export or one checkpoint, not {len(files)} files")
    return files[0]
