# SPDX-License-Identifier: Apache-2.0
"""Image retrieval: features, scores between images, and the pairs that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from dens3r_ros.evaluation.parity.comparison import Comparison, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.network.retrieval.asmk import similarities
from dens3r_ros.network.retrieval.head import RetrievalHead, describe
from dens3r_ros.network.retrieval.pair_graph import alike_pairs, key_images

NAME = "retrieval"
_SCORE_TOLERANCE = 1e-5
_FLOAT_QUERY_WORDS = 3


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds tokens and retrieval heads."""
    return "tokens" in fixture.names and isinstance(fixture.config.get("models"), Mapping)


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every head of the file."""
    for model, told in fixture.config["models"].items():
        with torch.inference_mode():
            yield from _compare_model(fixture, model, told)


def _compare_model(fixture: Fixture, model: str, told: Mapping[str, Any]) -> Iterator[Comparison]:
    start = f"{model}/"
    weights = fixture.weights(f"{start}sd/")
    head = RetrievalHead(describe({key: tuple(w.shape) for key, w in weights.items()}, told))
    head.load_state_dict(weights)
    tokens = fixture.tensor("tokens")
    local, index = head.local(tokens)
    found = {"attention": head(tokens)[1], "local_feat": local, "global": head.whole(tokens)}
    for name, value in found.items():
        yield of_scale(model, name, value, fixture.array(start + name))
    yield share_differing(model, "local_idx", index, fixture.array(f"{start}local_idx"))
    codebook = fixture.array(f"{start}centroids")
    features = [image.numpy() for image in local]
    ours = {
        "scores_official": similarities(features, codebook),
        "scores_nonbinary": similarities(features, codebook, _FLOAT_QUERY_WORDS, binary=False),
    }
    for name, value in ours.items():
        yield of_scale(model, name, value, fixture.array(start + name), _SCORE_TOLERANCE)
    for folder in fixture.folders(start):
        if folder.startswith("graph"):
            yield from _compare_graph(fixture, model, f"{start}{folder}/", ours["scores_official"])


def _compare_graph(
    fixture: Fixture, model: str, start: str, similarity: np.ndarray
) -> Iterator[Comparison]:
    keys = [int(key) for key in fixture.array(f"{start}keys")]
    count, neighbours = (int(number) for number in fixture.array(f"{start}Na_k"))
    case = f"{model}, {count} keys, {neighbours} neighbours"
    if keys:
        chosen = key_images(similarity, count, keys[0])
        yield share_differing(case, "graph keys", chosen, keys)
    found = alike_pairs(similarity, keys, neighbours)
    published = {(int(a), int(b)) for a, b in fixture.array(f"{start}pairs")}
    error = len(found ^ published) / max(len(published), 1)
    yield Comparison(case, "graph pairs", error, 0.0, "of pairs")
