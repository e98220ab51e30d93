# SPDX-License-Identifier: Apache-2.0
"""How much photos look alike by MASt3R's own retrieval, where its files and encoder are here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dens3r_ros.engines.protocol import Engine, encode_aside
from dens3r_ros.engines.torch_engine import TorchEncoding, TorchEngine
from dens3r_ros.model_store.manifest import load_manifest
from dens3r_ros.network import load_network
from dens3r_ros.network.retrieval.asmk import similarities
from dens3r_ros.network.retrieval.codebook import read_codebook
from dens3r_ros.network.retrieval.head import RetrievalHead
from dens3r_ros.reconstruction.photos.album import Album

HEAD, CODEBOOK = "mast3r-retrieval", "mast3r-retrieval-codebook"
_FAMILY = "mast3r"


@dataclass(frozen=True, eq=False)
class NetworkRetrieval:
    """A head on an engine's encoder, and the words (K, D) by which features are compared."""

    engine: TorchEngine
    head: RetrievalHead
    codebook: np.ndarray

    def likeness(self, album: Album, tell: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """(N, N) how much photos look alike, 0 to 1, both ways the same; `tell` hears how many are
        done, and may raise to stop."""
        features = []
        for number in range(len(album)):
            encoded: TorchEncoding = encode_aside(self.engine, [album.frame(number)])[0].data
            with torch.inference_mode():
                tokens = encoded.tokens.data.float().cpu()
                features.append(self.head.local(tokens)[0][0].numpy())
            tell(number + 1)
        found = similarities(features, self.codebook)
        found = np.clip((found + found.T) / 2, 0, 1)
        np.fill_diagonal(found, 1.0)
        return found


def network_retrieval(engine: Engine) -> NetworkRetrieval | None:
    """MASt3R's retrieval for an engine that runs a MASt3R; None for others, and where the files are
    not on this machine. WeightsError where one of them is no such file."""
    if not isinstance(engine, TorchEngine) or engine.network.info.family != _FAMILY:
        return None
    entries = load_manifest()
    head_path, words_path = entries[HEAD].path, entries[CODEBOOK].path
    if head_path is None or words_path is None:
        return None
    head = load_network(head_path)
    codebook = read_codebook(words_path)
    width = engine.network.description.encoder.width
    if not isinstance(head, RetrievalHead) or head.description.width != width:
        return None
    return NetworkRetrieval(engine, head.eval().requires_grad_(False), codebook)
