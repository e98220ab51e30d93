# SPDX-License-Identifier: Apache-2.0
"""If these fail, whoever fetched MASt3R's retrieval gets our own descriptors instead, or scores
that are not MASt3R's."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.model_store.manifest import find_entry
from dens3r_ros.network import Network, NetworkDescription, TransformerSize, save_network
from dens3r_ros.network.retrieval.asmk import similarities
from dens3r_ros.network.retrieval.head import RetrievalDescription, RetrievalHead
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.network_retrieval import (
    CODEBOOK,
    HEAD,
    network_retrieval,
)

WIDTH = 64


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "dens3r" / "models"
    folder.mkdir(parents=True)
    return folder


def engine(family: str) -> TorchEngine:
    torch.manual_seed(3)
    description = NetworkDescription(
        family=family,
        encoder=TransformerSize(WIDTH, 2, 4, 128),
        decoder=TransformerSize(48, 3, 3, 96),
        head="linear",
        training_size=(64, 48),
    )
    return TorchEngine(Network(description).eval(), TorchConfig("cpu", "fp32"))


def test_scores_are_those_of_its_features(cache: Path, tmp_path: Path) -> None:
    random, runs = np.random.RandomState(0), engine("mast3r")
    assert network_retrieval(runs) is None, "nothing is fetched yet"
    torch.manual_seed(4)
    head = RetrievalHead(RetrievalDescription(WIDTH, features=8))
    torch.nn.init.normal_(head.prewhiten.p)
    save_network(head, tmp_path / "head.safetensors")
    words = random.normal(0, 4, (16, WIDTH)).astype(np.float32)
    (tmp_path / "head.safetensors").rename(cache / find_entry(HEAD).file)
    assert network_retrieval(runs) is None, "one of two files"
    content = {"type": "Codebook", "params": {"size": 16}, "state": {"centroids": words}}
    (cache / find_entry(CODEBOOK).file).write_bytes(pickle.dumps(content))
    found = network_retrieval(runs)
    assert found is not None
    album, features = Album(tmp_path / "album"), []
    for _ in range(4):
        album.add(Frame(random.randint(0, 255, (48, 64, 3), np.uint8), 0))
    for n in range(4):
        tokens = runs.encode([album.frame(n)])[0].data.tokens.data
        features.append(head.eval().local(tokens)[0][0].detach().numpy())
    alike, wanted = found.likeness(album), similarities(features, words)
    off = ~np.eye(4, dtype=bool)
    assert np.allclose(alike[off], ((wanted + wanted.T) / 2)[off], atol=1e-6)
    assert alike[off].max() > 0 and np.allclose(np.diag(alike), 1)


def test_other_engines_keep_our_own(cache: Path) -> None:
    assert network_retrieval(engine("dust3r")) is None
