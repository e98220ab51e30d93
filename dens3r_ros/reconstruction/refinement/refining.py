# SPDX-License-Identifier: Apache-2.0
"""A finished map bettered as a whole: bundle, then depth anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.mapping.archive.stored import Stored
from dens3r_ros.mapping.files.map_file import SavedKeyframe
from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, KeyframeMaps
from dens3r_ros.reconstruction.kept.mapped import Mapped
from dens3r_ros.reconstruction.kept.pair_tracks import ImageKey, TrackStore, sampled
from dens3r_ros.reconstruction.outputs.scene import ScenePoints
from dens3r_ros.reconstruction.refinement.bundle import Bundle, BundleReport, BundleState, scaled
from dens3r_ros.reconstruction.refinement.fusing import fuse_again, keep_confirmed
from dens3r_ros.reconstruction.refinement.sightings import (
    Anchor,
    Neighbourhood,
    agreeing,
    gather,
)
from dens3r_ros.reconstruction.refinement.tracked_points import tracked_points

FOCAL_SIGMA = 0.1
"""How unsure a lens is that was learned, as a logarithm of its focal length."""
_ROUGH_STEPS = 8
"""Steps with the pairs that mapping took, before others are held against the outcome."""
_FEWEST = 3
"""Keyframes with tracks below which there is nothing to refine."""

Tell = Callable[[float, float | None, str], None]


@dataclass(frozen=True, eq=False)
class Refined:
    """A better map, whose keyframes' files are rewritten; points that several keyframes track; how
    the bundle went, None where there was too little; the factor on focal lengths; the share of
    depth that others confirmed."""

    mapped: Mapped
    points: ScenePoints | None
    report: BundleReport | None
    focal: float
    confirmed: float


def refine(
    mapped: Mapped,
    files: KeyframeFiles,
    store: TrackStore,
    tell: Tell,
    ended: Callable[[], bool] = lambda: False,
) -> Refined:
    """Better poses, lens and depth; `ended` may say that it is enough."""
    units = {i: scale_of(S) for i, S in mapped.poses.items()}
    around = Neighbourhood.among(mapped)
    anchors = gather(store, around, files, units, mapped.intrinsics)
    if len(anchors) < _FEWEST:
        return Refined(mapped, None, None, 1.0, 1.0)
    by_id = {i: key for key, i in around.keyframes.items()}
    keyframes = [by_id[i] for i in sorted(by_id)]
    sigma = FOCAL_SIGMA if mapped.estimated else 0.0
    bundle = Bundle(anchors, keyframes, sigma)
    start = _start(mapped, around, bundle.anchors)
    if not store.measured():
        # Points that are believed to lie somewhere are no measurement of where cameras stand.
        points = tracked_points(bundle.anchors, start, around, files)
        return Refined(mapped, points, None, 1.0, 1.0)

    def each(step: int) -> bool:
        tell(step, None, "bundle")
        return ended()

    state, first = bundle.solve(start, _ROUGH_STEPS, each)
    around = agreeing(store, around, bundle.anchors, state.inverse, state.poses)
    bundle = Bundle(gather(store, around, files, units, mapped.intrinsics), keyframes, sigma)
    again = replace(_start(mapped, around, bundle.anchors), focal=state.focal)
    again.poses.update(state.poses)
    state, report = bundle.solve(again, ended=each)
    report = replace(report, steps=first.steps + report.steps)
    state = _where_it_was(state, start)
    points = tracked_points(bundle.anchors, state, around, files)
    new_units, share = _fuse(bundle.anchors, state, units, files, mapped, around, tell)
    better = _applied(mapped, state, new_units, around, files)
    return Refined(better, points, report, state.focal, share)


def _start(mapped: Mapped, around: Neighbourhood, anchors: list[Anchor]) -> BundleState:
    poses = {(p.stamp, p.camera): p.T_map_camera for p in mapped.trajectory()}
    poses |= {key: rigid(mapped.poses[i]) for key, i in around.keyframes.items()}
    part = {key for anchor in anchors for key in (anchor.key, *anchor.frames)}
    poses = {key: T for key, T in poses.items() if key in part}
    inverse = []
    for anchor in anchors:
        known = anchor.inverse > 0
        middle = float(np.median(anchor.inverse[known])) if known.any() else 1.0
        inverse.append(np.where(known, anchor.inverse, middle))
    return BundleState(poses, inverse)


def _where_it_was(state: BundleState, start: BundleState) -> BundleState:
    """The whole moved, turned and scaled as one back to where mapping had it: a bundle knows
    neither place nor unit."""
    keys = [key for key in state.poses if key in start.poses]
    now, then = (
        torch.from_numpy(np.array([one.poses[key][:3, 3] for key in keys]))
        for one in (state, start)
    )
    try:
        S = register_similarity(now, then).numpy()
    except ValueError:  # all on one line: only the unit and the first place can be kept
        return state
    scale = scale_of(S)
    poses = {}
    for key, T_before in state.poses.items():
        T = S @ T_before
        T[:3, :3] /= scale
        poses[key] = T
    return BundleState(poses, [inverse / scale for inverse in state.inverse], state.focal)


def _fuse(
    anchors: list[Anchor],
    state: BundleState,
    units: dict[int, float],
    files: KeyframeFiles,
    mapped: Mapped,
    around: Neighbourhood,
    tell: Tell,
) -> tuple[dict[int, float], float]:
    """Every keyframe's depth anew; the lengths of their units, and the share that stayed."""
    new_units = dict(units)
    for number, anchor in enumerate(anchors):
        maps = files.read(anchor.keyframe_id)
        unit = units[anchor.keyframe_id]
        maps, new_unit = fuse_again(anchor, state.poses, state.focal, maps, unit)
        files.put(anchor.keyframe_id, maps)
        new_units[anchor.keyframe_id] = new_unit
        tell(number + 1, 3 * len(anchors), "depth")
    by_id = {i: key for key, i in around.keyframes.items()}
    ids = sorted(by_id)
    T = np.stack([state.poses.get(by_id[i], rigid(mapped.poses[i])) for i in ids])
    share = keep_confirmed(
        ids, T, new_units, files, lambda done, _: tell(len(ids) + done, 3 * len(ids), "agreement")
    )
    return new_units, share


def _applied(
    mapped: Mapped,
    state: BundleState,
    units: dict[int, float],
    around: Neighbourhood,
    files: KeyframeFiles,
) -> Mapped:
    poses = {}
    for key, i in around.keyframes.items():
        S = state.poses.get(key, rigid(mapped.poses[i])).copy()
        S[:3, :3] *= units[i]
        poses[i] = S
    records = [_moved(record, state, poses) for record in mapped.saved.records]
    keyframes = [_with_depth(one, files.read(one.stored.id)) for one in mapped.saved.keyframes]
    ordered = {i: poses[i] for i in mapped.saved.poses}
    saved = replace(mapped.saved, poses=ordered, records=records, keyframes=keyframes)
    lenses = {
        name: scaled(lens, state.focal) if name in mapped.estimated else lens
        for name, lens in mapped.intrinsics.items()
    }
    return replace(mapped, saved=saved, intrinsics=lenses)


def _moved(record: Record, state: BundleState, poses: dict[int, np.ndarray]) -> Record:
    """A frame at its own new pose, relative to its keyframe; others move with their keyframe."""
    key: ImageKey = record.stamp, record.camera
    if key not in state.poses:
        return record
    T = np.linalg.inv(poses[record.keyframe_id]) @ state.poses[key]
    T[:3, :3] /= np.cbrt(np.linalg.det(T[:3, :3]))
    return replace(record, T_keyframe_frame=T)


def _with_depth(kept: SavedKeyframe, maps: KeyframeMaps) -> SavedKeyframe:
    """The small keyframe of a map file with the new depth."""
    stored: Stored = kept.stored
    rows, columns = stored.depth.shape
    depth, sure = np.zeros((rows, columns), np.float16), np.ones((rows, columns), np.float16)
    for target, values in ((depth, maps.depth), (sure, maps.confidence)):
        some = sampled(values)[:rows, :columns]
        target[: some.shape[0], : some.shape[1]] = some.clip(0, 60_000)
    known = replace(stored, depth=depth, confidence=sure, camera=maps.camera)
    return replace(kept, stored=replace(known, revision=stored.revision + 1))
