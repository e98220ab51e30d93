# SPDX-License-Identifier: Apache-2.0
"""The class that Triton's Python backend looks for in a repository's model.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import WarmingEngine
from dens3r_ros.engines.serving.batches import INPUTS, OUTPUTS, answer_arrays
from dens3r_ros.engines.serving.repository import SETTINGS
from dens3r_ros.engines.serving.service import Service


class TritonPythonModel:
    """Loads the network of its version's folder, and answers batches of calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and warm up; Triton says that the model is ready only afterwards."""
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        device = settings["device"]
        if args["model_instance_kind"] == "GPU":
            device = f"cuda:{args['model_instance_device_id']}"
        engine = load_engine("auto", str(network_in(folder / settings["network"])), device)
        if isinstance(engine, WarmingEngine):
            engine.warm_up()
        self._service = Service(engine, int(settings["cache"]))

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


def network_in(folder: Path) -> Path:
    """An export is its folder, a checkpoint the only file in it."""
    if (folder / "export.json").is_file():
        return folder
    files = sorted(one for one in folder.iterdir() if one.is_file())
    if len(files) != 1:
        raise ValueError(f"{folder} must hold an export or one checkpoint, not {len(files)} files")
    return files[0]
