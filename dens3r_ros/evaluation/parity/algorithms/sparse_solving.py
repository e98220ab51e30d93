# SPDX-License-Identifier: Apache-2.0
"""The photos of `sparse_ga.npz` placed by our own solver, beside what the published one came to."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from dens3r_ros.evaluation.parity.algorithms.alignment_errors import pairwise_errors
from dens3r_ros.evaluation.parity.comparison import Comparison, at_most
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pose import pose_from_points
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act
from dens3r_ros.mapping.tracking.cameras import CameraEstimate, fit_camera
from dens3r_ros.reconstruction.sparse.measured import (
    AnchorSightings,
    Collection,
    Depths,
    MeasuredPair,
    PhotoCamera,
)
from dens3r_ros.reconstruction.sparse.models import Model, models_of

_FASTER = 5.0
"""Times as fast as the published solver ours has to be."""
_LEAST = 1.5
"""Confidence from which points of the other photo tell the pose."""
_SUBSAMPLED = 8
_FOCAL_SPREAD = 0.1

Pair = tuple[int, int]


def compare_solver(fixture: Fixture) -> Iterator[Comparison]:
    """Our errors and time against the published ones of its last stage."""
    began = time.process_time()
    models = models_of(_collection(fixture))
    seconds = time.process_time() - began
    count = int(fixture.config["n"])
    placed = len(models[0].photos) if models else 0
    yield at_most("", "own photos that are left out", count - placed, 0.0)
    if placed == count:
        limits = fixture.config["errors"]["fine"]
        for name, error in errors_of(models[0], fixture).items():
            yield at_most("", f"own {name}", error, limits[name])
    yield at_most("", "own seconds of CPU", seconds, fixture.config["seconds"] / _FASTER)


def errors_of(model: Model, fixture: Fixture) -> dict[str, float]:
    """Those that the file states for the published solver, by the same names."""
    poses = torch.from_numpy(np.array([model.T_world_camera[n] for n in sorted(model.photos)]))
    focals = np.array([model.lenses[n].fx for n in sorted(model.photos)])
    off = np.abs(focals / fixture.array("gt_focals") - 1)
    return pose_errors(poses, fixture) | {"focal_rel_err_mean": float(off.mean())}


def pose_errors(poses: torch.Tensor, fixture: Fixture) -> dict[str, float]:
    """Of poses (N, 4, 4) in any unit and frame: positions after a similarity, and rotations and
    directions between every two."""
    truth = fixture.tensor("gt_cam2w")
    T = register_similarity(poses[:, :3, 3], truth[:, :3, 3])
    missed = (act(T, poses[:, :3, 3]) - truth[:, :3, 3]).square().sum(-1).mean().sqrt()
    first, second = torch.cartesian_prod(torch.arange(len(poses)), torch.arange(len(poses))).T
    once = (first < second)[first != second]
    turned, aside = (errors[once] for errors in pairwise_errors(poses, truth))
    return {
        "ate": float(missed),
        "rot_deg_mean": float(turned.mean()),
        "rot_deg_max": float(turned.max()),
        "dir_deg_mean": float(aside.mean()),
        "dir_deg_max": float(aside.max()),
    }


def _collection(fixture: Fixture) -> Collection:
    """What the pairs of the file say, with the pixels that match as anchors."""
    count = int(fixture.config["n"])
    pairs = [(int(a), int(b)) for a, b in fixture.array("pairs")]
    lenses = [_lens(fixture, pairs, image) for image in range(count)]
    anchors = {n: np.unique(_matched_pixels(fixture, pairs, n), axis=0) for n in range(count)}
    cameras = {n: PhotoCamera(lens, n, _FOCAL_SPREAD) for n, lens in enumerate(lenses)}
    good = [pair for pair in pairs if _is_good(fixture, pair)]
    measured = [
        one
        for a, b in good
        for ends in ((a, b), (b, a))
        if (one := _measured(fixture, ends, lenses, anchors)) is not None
    ]
    return Collection(cameras, anchors, measured)


def _matched_pixels(fixture: Fixture, pairs: list[Pair], image: int) -> np.ndarray:
    return np.concatenate(
        [
            fixture.array(f"pair/{a}_{b}/xy{1 if image == a else 2}")
            for a, b in pairs
            if image in (a, b)
        ]
    )


def _is_good(fixture: Fixture, pair: Pair) -> bool:
    confidence = fixture.array(f"pair/{pair[0]}_{pair[1]}/conf")
    return bool(confidence.max(initial=0.0) > fixture.config["matching_conf_thr"])


def _lens(fixture: Fixture, pairs: list[Pair], image: int) -> Intrinsics:
    """By the photo's own points; the principal point is the middle, as published."""
    height, width = int(fixture.config["H"]), int(fixture.config["W"])
    estimate = CameraEstimate()
    for a, b in pairs:
        if image in (a, b):
            side = 1 if image == a else 2
            points, sure = (fixture.array(f"pair/{a}_{b}/{x}{side}{side}") for x in "XC")
            estimate.add(fit_camera(points.astype(np.float32), sure.astype(np.float32)))
    assert estimate.current is not None  # photos of the file are seen
    focal = float(np.sqrt(estimate.current.fx * estimate.current.fy))
    return Intrinsics(focal, focal, width / 2, height / 2, width, height)


def _measured(
    fixture: Fixture, ends: Pair, lenses: list[Intrinsics], anchors: dict[int, np.ndarray]
) -> MeasuredPair | None:
    """What the network said with `ends[0]` as first view."""
    a, b = ends
    one, two = (1, 2) if a < b else (2, 1)
    start = f"pair/{min(ends)}_{max(ends)}/"
    T_b_a = _pose(fixture, f"{start}%s{two}{one}", lenses[b])
    if T_b_a is None:
        return None
    at_a, at_b = (fixture.array(f"{start}xy{side}").astype(int) for side in (one, two))
    own = fixture.array(f"{start}X{one}{one}").astype(float)
    ids = _ids(anchors[a], at_a)
    depth = own[at_a[:, 1], at_a[:, 0], 2]
    order = np.unique(ids, return_index=True)[1]
    moved = own[at_a[:, 1], at_a[:, 0]] @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    ids_b = _ids(anchors[b], at_b)
    order_b = np.unique(ids_b, return_index=True)[1]
    return MeasuredPair(
        a,
        b,
        np.linalg.inv(T_b_a),
        len(at_a),
        True,
        Depths(ids[order], depth[order]),
        Depths(ids_b[order_b], moved[order_b, 2]),
        (
            AnchorSightings(b, a, ids_b, at_a.astype(np.float32)),
            AnchorSightings(a, b, ids, at_b.astype(np.float32)),
        ),
    )


def _ids(anchors: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(M,) numbers of pixels among the anchors, which are sorted by x, then y."""
    width = int(max(anchors[:, 1].max(), pixels[:, 1].max())) + 1
    keys = anchors[:, 0].astype(int) * width + anchors[:, 1]
    return np.searchsorted(keys, pixels[:, 0] * width + pixels[:, 1])


def _pose(fixture: Fixture, key: str, lens: Intrinsics) -> np.ndarray | None:
    """T_b_a by where b's pixels lie in a's frame."""
    points = fixture.tensor(key % "X").double()
    sure = fixture.tensor(key % "C") > _LEAST
    rows, columns = sure.nonzero().unbind(-1)
    pixels = torch.stack([columns, rows], -1) * _SUBSAMPLED
    found = pose_from_points(points[rows, columns], pixels, lens, noise="points")
    return None if found is None else np.linalg.inv(found.T_world_camera.numpy())
