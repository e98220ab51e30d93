# SPDX-License-Identifier: Apache-2.0
"""Sparse alignment (`sparse_ga.npz`): what it starts from, and its losses where it ended."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.algorithms.sparse_solving import compare_solver
from dens3r_ros.evaluation.parity.comparison import Comparison, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.many_views.canonical_view import CanonicalView, canonical_view
from dens3r_ros.geometry.many_views.cloud_cleaning import cleaned_confidences
from dens3r_ros.geometry.many_views.kinematic_tree import kinematic_tree
from dens3r_ros.geometry.many_views.sparse_alignment_loss import (
    Correspondences,
    PlacedView,
    fallback_loss,
    pixels_loss,
    points_loss,
)
from dens3r_ros.geometry.sim3 import act

NAME = "sparse alignment (its start and its losses; our own solver's errors and time)"
Pair = tuple[int, int]
# Pixels whose depth is that of the other image to rounding, or projected between two pixels.
_BORDER = 1e-3


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds pairs with matches, canonical views, a tree and two stages."""
    return {"pairs", "canon/0/canon2", "tree/root", "coarse/cam2w"} <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Canonical views, anchors, the tree; points and losses at both stored states."""
    pairs = [(int(a), int(b)) for a, b in fixture.array("pairs")]
    count = int(fixture.config["n"])
    views = [_view(fixture, pairs, image) for image in range(count)]
    for image, view in enumerate(views):
        yield from _compare_view(fixture, f"image {image}", f"canon/{image}/", view)
    anchors = [_Anchors(fixture, pairs, image, views[image]) for image in range(count)]
    for image, found in enumerate(anchors):
        start = f"anchors/{image}/"
        yield share_differing("", "anchors/pixels", found.pixels, fixture.array(f"{start}pixels"))
        yield share_differing("", "anchors/idx", found.index, fixture.array(f"{start}idx"))
        yield of_scale("", "anchors/offset", found.shares, fixture.array(f"{start}offset"))
    yield from _compare_tree(fixture, pairs, views)
    for number, stage in enumerate(("coarse", "fine"), start=1):
        yield from _compare_stage(fixture, pairs, views, anchors, number, stage)
    if "dense/depth" in fixture.names:
        yield from _compare_dense(fixture, views)
    if {"errors", "seconds"} <= fixture.config.keys():
        yield from compare_solver(fixture)


class _Anchors:
    """The pixels of one image that match others, image by image, and their anchors."""

    def __init__(
        self, fixture: Fixture, pairs: list[Pair], image: int, view: CanonicalView
    ) -> None:
        parts, self.slices, start = [], {}, 0
        for a, b in pairs:
            if image not in (a, b):
                continue
            pixels = fixture.tensor(f"pair/{a}_{b}/xy{1 if image == a else 2}").long()
            parts.append(pixels)
            self.slices[(a, b)] = slice(start, start + len(pixels))
            start += len(pixels)
        self.pixels = torch.cat(parts)
        self.index, self.shares = view.anchors(self.pixels)


def _view(fixture: Fixture, pairs: list[Pair], image: int) -> CanonicalView:
    maps = [
        (fixture.tensor(f"pair/{a}_{b}/X{n}{n}"), fixture.tensor(f"pair/{a}_{b}/C{n}{n}"))
        for a, b in pairs
        for n in ([1] if image == a else [2] if image == b else [])
    ]
    points, confidences = (torch.stack(part).float() for part in zip(*maps, strict=True))
    return canonical_view(points, confidences)


def _compare_view(
    fixture: Fixture, case: str, start: str, view: CanonicalView
) -> Iterator[Comparison]:
    ours = {
        "focal": [view.focal],
        "core_depth_raw": view.core_depth,
        "canon2": view.relative,
        "conf": view.confidence,
        "canon_1_2": view.points[1::2, 1::2],
    }
    for name, value in ours.items():
        yield of_scale(case, f"canon/{name}", value, fixture.array(start + name))


def _compare_tree(
    fixture: Fixture, pairs: list[Pair], views: list[CanonicalView]
) -> Iterator[Comparison]:
    matches = np.zeros((len(views), len(views)))
    for a, b in pairs:
        matches[a, b] = matches[b, a] = len(fixture.array(f"pair/{a}_{b}/xy1"))
    blocks = np.array([view.core_depth.numel() for view in views])
    root, edges = kinematic_tree(matches, blocks)
    yield share_differing("", "tree/root", root, fixture.array("tree/root"))
    yield share_differing("", "tree/edges", edges, fixture.array("tree/edges"))


def _compare_stage(
    fixture: Fixture,
    pairs: list[Pair],
    views: list[CanonicalView],
    anchors: list[_Anchors],
    number: int,
    stage: str,
) -> Iterator[Comparison]:
    placed = {image: _placed(fixture, stage, image, view) for image, view in enumerate(views)}
    points = []
    for image, found in enumerate(anchors):
        points.append(placed[image].world_points(found.pixels, found.index, found.shares))
        published = fixture.array(f"{stage}/pts3d_{image}")
        yield of_scale("", f"{stage}/pts3d", points[image], published)
    good = [pair for pair in pairs if _is_good(fixture, pair)]
    bad = [pair for pair in pairs if pair not in good]
    matched = [_matched(fixture, pair, anchors, points) for pair in good]
    loss = points_loss(matched) if number == 1 else pixels_loss(matched, placed)
    loss = loss + fallback_loss(
        [one for pair in bad for one in _fallback(fixture, pair, placed, anchors, points)]
    )
    published_loss = fixture.array(f"loss_curve_stage{number}")[-1]
    yield of_scale("", f"loss_curve_stage{number}, last", float(loss), published_loss)


def _compare_dense(fixture: Fixture, views: list[CanonicalView]) -> Iterator[Comparison]:
    """Every pixel by its anchor, and what is left of confidence after points were cleaned."""
    points, depths = [], []
    Ks, poses = fixture.tensor("fine/intrinsics"), fixture.tensor("fine/cam2w")
    for image, view in enumerate(views):
        height, width = view.confidence.shape
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        pixels = torch.stack((x, y), dim=-1).reshape(-1, 2)
        world = _placed(fixture, "fine", image, view).world_points(pixels, *view.anchors(pixels))
        depths.append(act(torch.linalg.inv(poses[image]), world)[:, 2].view(height, width))
        points.append(world.view(height, width, 3))
    confidences = [view.confidence for view in views]
    cleaned = cleaned_confidences(points, depths, confidences, Ks, poses)
    yield of_scale("", "dense/depth", torch.stack(depths), fixture.array("dense/depth"))
    published = fixture.tensor("dense/conf_clean")
    kept = torch.stack(cleaned)
    both = (kept > 0) & (published > 0)
    yield share_differing("", "dense/conf_clean, kept", kept > 0, (published > 0).numpy(), _BORDER)
    yield of_scale("", "dense/conf_clean", kept[both], published[both].numpy())


def _placed(fixture: Fixture, stage: str, image: int, view: CanonicalView) -> PlacedView:
    return PlacedView(
        fixture.tensor(f"{stage}/intrinsics")[image],
        fixture.tensor(f"{stage}/cam2w")[image],
        fixture.tensor(f"{stage}/depthmaps")[image],
        view.focal,
    )


def _is_good(fixture: Fixture, pair: Pair) -> bool:
    confidence = fixture.array(f"pair/{pair[0]}_{pair[1]}/conf")
    return bool(confidence.max(initial=0.0) > fixture.config["matching_conf_thr"])


def _matched(
    fixture: Fixture, pair: Pair, anchors: list[_Anchors], points: list[Tensor]
) -> Correspondences:
    a, b = pair
    here, there = anchors[a].slices[pair], anchors[b].slices[pair]
    return Correspondences(
        a,
        b,
        points[a][here],
        points[b][there],
        anchors[a].pixels[here].float(),
        anchors[b].pixels[there].float(),
        fixture.tensor(f"pair/{a}_{b}/conf"),
    )


def _fallback(
    fixture: Fixture,
    pair: Pair,
    placed: dict[int, PlacedView],
    anchors: list[_Anchors],
    points: list[Tensor],
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each image of a pair against its points in the other's frame, which the pair predicts."""
    a, b = pair
    for image, other, part in ((a, b, "12"), (b, a, "21")):
        predicted = fixture.tensor(f"pair/{a}_{b}/X{part}").float().reshape(-1, 3)
        confidence = fixture.tensor(f"pair/{a}_{b}/C{part}").float().reshape(-1)
        index = anchors[image].index
        in_world = act(placed[other].T_world_camera, predicted[index])
        yield points[image], in_world, confidence[index]
