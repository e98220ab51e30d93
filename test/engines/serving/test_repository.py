# SPDX-License-Identifier: Apache-2.0
"""If these fail, Triton refuses what `dens3r export --triton` wrote, or a fleet's manifest names
things that are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from dens3r_ros.engines.remote.wire import Message
from dens3r_ros.engines.serving.batches import answer_arrays
from dens3r_ros.engines.serving.python_backend import network_in
from dens3r_ros.engines.serving.repository import RepositoryConfig, ServedNetwork, write_repository

CONFIG = RepositoryConfig("dens3r")


def fill(folder: Path) -> None:
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"x")


def test_versions_follow_each_other_and_unfinished_ones_vanish(tmp_path: Path) -> None:
    assert write_repository(tmp_path, CONFIG, ServedNetwork(), fill).name == "1"
    with pytest.raises(OSError):
        write_repository(
            tmp_path, CONFIG, ServedNetwork(), lambda folder: (folder / "a" / "b").mkdir()
        )
    made = write_repository(tmp_path, CONFIG, ServedNetwork(), fill)
    assert made.name == "2" and network_in(made / "network").name == "weights.safetensors"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dens3r"]
    text = (tmp_path / "dens3r" / "config.pbtxt").read_text()
    assert "dynamic_batching" in text and text.count("TYPE_STRING") == 4
    with pytest.raises(ValueError, match="cannot be a model's name"):
        write_repository(tmp_path, RepositoryConfig("a/b"), ServedNetwork(), fill)


class _Echo:
    def answer(self, calls):  # type: ignore[no-untyped-def]
        return [Message({"said": call.head["n"]}, call.data) for call in calls]


def test_rows_of_requests_come_back_in_order_and_bad_ones_are_told() -> None:
    def column(*rows: bytes) -> np.ndarray:
        return np.array([[row] for row in rows], dtype=object)

    requests = [
        {"call": column(b'{"n": 1}', b"no JSON"), "data": column(b"a", b"b")},
        {"call": column(b'{"n": 2}'), "data": column(b"c")},
    ]
    one, two = answer_arrays(_Echo(), requests)  # type: ignore[arg-type]
    assert [bytes(x[0]) for x in one["data"]] == [b"a", b""]
    assert b"must be a JSON object" in one["answer"][1, 0]
    assert two["answer"][0, 0] == b'{"said":2}'


def test_the_manifest_serves_what_clients_ask_for() -> None:
    folder = Path(__file__).parents[3] / "docker"
    service, runtime = yaml.safe_load_all((folder / "kserve.yaml").read_text())
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    container = runtime["spec"]["containers"][0]
    assert container["ports"][0]["containerPort"] == 8001
    assert "--grpc-port=8001" in container["args"]
