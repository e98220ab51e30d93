# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves from cross-attention (`easi3r_masks.npz`), and decoding with them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, absolute, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture, images
from dens3r_ros.network import Network
from dens3r_ros.network.attention.motion import (
    masks_of,
    motion_maps,
    motion_threshold,
    patch_masks,
    smoothed_by_clusters,
)
from dens3r_ros.network.attention.watching import WatchedPair, watched_decode
from dens3r_ros.network.checkpoints.load import build
from dens3r_ros.network.checkpoints.pairwise import read_published
from dens3r_ros.network.checkpoints.read import Weights
from dens3r_ros.network.pairwise.deduced import deduced_arguments

NAME = "attention masks"
_AGGREGATED = {
    "cross_att_k_i_mean_fused": "mean_b",
    "cross_att_k_i_var_fused": "deviation_b",
    "cross_att_k_j_mean_fused": "mean_a",
    "cross_att_k_j_var_fused": "deviation_a",
    "i_mean_raw": "mean_b_raw",
    "i_std_raw": "deviation_b_raw",
    "dynamic_map": "motion",
}
_BIN = 1 / 256
# Pixels at a mask's border, whose map is at the threshold.
_BORDER_SHARE = 1e-3
_STEP = slice(4, None, 8)


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds attention in two passes, and masks between them."""
    return {"pass1/attn_k_dec1", "mask/masks", "pass2/pts3d"} <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Attention, its aggregation, thresholds and masks, and the second pass with the masks."""
    network, patch = _network(fixture), int(fixture.array("sd/patch_embed.proj.weight").shape[-1])
    pairs = [(int(a), int(b)) for a, b in fixture.array("edges")]
    with torch.inference_mode():
        tokens = [network.encode(image[None]) for image in images(fixture.array("imgs_u8"))]
        first = {pair: watched_decode(network, tokens[pair[0]], tokens[pair[1]]) for pair in pairs}
        yield from _compare_pass(fixture, network, "pass1", first)
        yield from _compare_masks(fixture, first, len(tokens))
        moving = patch_masks(fixture.tensor("mask/masks"), patch)
        second = {
            (a, b): watched_decode(
                network, tokens[a], tokens[b], (moving[a : a + 1], moving[b : b + 1])
            )
            for a, b in pairs
        }
        yield from _compare_pass(fixture, network, "pass2", second)


def _network(fixture: Fixture) -> Network:
    weights = fixture.weights()
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    arguments = deduced_arguments(shapes) | fixture.config["kw"]
    network = build(Weights(fixture.path, *read_published(fixture.path, arguments, weights)))
    assert isinstance(network, Network)
    return network


def _compare_pass(
    fixture: Fixture, network: Network, part: str, watched: dict[tuple[int, int], WatchedPair]
) -> Iterator[Comparison]:
    maps: dict[str, list[Tensor]] = {}
    for pair in watched.values():
        prediction = network.predict(*pair.states)
        found = {
            "attn_k_dec1": pair.of_b[0],
            "attn_k_dec2": pair.of_a[0],
            "pts3d": _thinned(prediction.points_a),
            "pts3d_in_other_view": _thinned(prediction.points_b),
            "conf1": _thinned(prediction.confidence_a),
            "conf2": _thinned(prediction.confidence_b),
        }
        for name, value in found.items():
            maps.setdefault(name, []).append(value)
    for name in fixture.under(f"{part}/"):
        published = fixture.array(f"{part}/{name}")
        yield of_scale("", f"{part}/{name}", torch.stack(maps[name]), published)


def _thinned(value: Tensor | None) -> Tensor:
    assert value is not None
    return value[0, _STEP, _STEP]


def _compare_masks(
    fixture: Fixture, watched: dict[tuple[int, int], WatchedPair], count: int
) -> Iterator[Comparison]:
    of_a = {pair: one.of_a[0] for pair, one in watched.items()}
    of_b = {pair: one.of_b[0] for pair, one in watched.items()}
    found = motion_maps(of_a, of_b, count)
    for theirs, ours in _AGGREGATED.items():
        yield of_scale("", f"agg/{theirs}", found[ours], fixture.array(f"agg/{theirs}"))
    refined = smoothed_by_clusters(found["motion"], fixture.tensor("agg/cluster_labels"))
    yield of_scale("", "agg/refined_map", refined, fixture.array("agg/refined_map"))
    published = fixture.tensor("mask/masks")
    masks, threshold = masks_of(refined, (published.shape[1], published.shape[2]))
    published_threshold = fixture.array("mask/threshold")
    yield absolute("", "mask/threshold", threshold, published_threshold, _BIN, "of range")
    yield share_differing("", "mask/masks", masks, published.numpy(), _BORDER_SHARE)
    for case in fixture.folders("otsu/"):
        values = fixture.array(f"otsu/{case}/values")
        spread = float(np.ptp(values))
        yield of_scale(
            case,
            "otsu/threshold",
            motion_threshold(values),
            fixture.array(f"otsu/{case}/threshold"),
            _BIN,
            scale=spread,
        )
