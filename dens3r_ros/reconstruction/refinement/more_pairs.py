# SPDX-License-Identifier: Apache-2.0
"""Keyframes that see the same, as poses now tell, but were never compared: compared after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Engine, EngineAway, Features, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.pair_tracks import ImageKey, TrackStore
from dens3r_ros.reconstruction.kept.recording import recorded
from dens3r_ros.reconstruction.refinement.bundle import BundleState
from dens3r_ros.reconstruction.refinement.consistency import nearest_keyframes
from dens3r_ros.reconstruction.refinement.residuals import errors, rays_of
from dens3r_ros.reconstruction.refinement.sightings import Anchor

_EACH = 4
"""Most pairs more of each keyframe, those that share most."""
_NEAR = 24
"""Keyframes around each among which these are looked for."""
_SHARED = 0.4
"""Share of a keyframe's points that must lie within the other's image."""
_REMEMBERED = 32
"""Encoded keyframes that are kept for the next pairs."""

Pair = tuple[ImageKey, ImageKey]
Going = Callable[[int, int], bool]
"""Hears how many of how many are done, and says whether to go on."""


def unmet_pairs(anchors: Sequence[Anchor], state: BundleState, known: set[Pair]) -> list[Pair]:
    """Pairs (frame, anchor) of keyframes of one camera that are not among `known` either way round
    and share much of what the anchor sees, in the anchors' order."""
    keys = [anchor.key for anchor in anchors]
    poses = np.stack([state.poses[key] for key in keys])
    depth = 1 / float(np.median(np.concatenate(state.inverse)))
    found: list[Pair] = []
    met = {frozenset(pair) for pair in known}
    for n, anchor in enumerate(anchors):
        near = [i for i in nearest_keyframes(poses, depth, n, _NEAR) if keys[i][1] == keys[n][1]]
        near = [i for i in near if frozenset((keys[i], keys[n])) not in met]
        shares = _shared(anchor, state.inverse[n], poses[n], poses[near])
        for at in np.argsort(-shares, kind="stable")[:_EACH]:
            if shares[at] >= _SHARED:
                pair = keys[near[at]], keys[n]
                met.add(frozenset(pair))
                found.append(pair)
    return found


def _shared(
    anchor: Anchor, inverse: np.ndarray, T_world_anchor: np.ndarray, T_world_others: np.ndarray
) -> np.ndarray:
    """(K,) share of an anchor's points that lie within each other's image."""
    T = np.linalg.inv(T_world_others) @ T_world_anchor
    camera, where = anchor.camera, np.zeros((len(T), len(anchor.pixels), 2))
    pixels, _, ahead = errors(rays_of(anchor.pixels, camera), inverse, T, where, camera)
    inside = ahead & (pixels >= 0).all(-1)
    inside &= (pixels[..., 0] < camera.width) & (pixels[..., 1] < camera.height)
    return inside.mean(1) if len(T) else np.zeros(0)


def compare(
    pairs: Sequence[Pair],
    engine: Engine,
    store: TrackStore,
    files: KeyframeFiles,
    keyframes: Mapping[ImageKey, int],
    lenses: Mapping[str, Intrinsics],
    going: Going,
) -> None:
    """Decode the pairs, whose tracks go into the store; until `going` or the engine says no."""
    listening = recorded(engine, store.add)
    encoded: dict[ImageKey, Features] = {}

    def features(key: ImageKey) -> Features:
        if key not in encoded:
            frame = _frame(key, files, keyframes[key], lenses)
            encoded[key] = listening.encode([frame])[0]
            if len(encoded) > _REMEMBERED:
                del encoded[next(iter(encoded))]
        return encoded[key]

    for number, (a, b) in enumerate(pairs):
        if not going(number, len(pairs)):
            return
        try:
            listening.decode([(features(a), features(b))], Outputs("b", "", ""))
        except EngineAway:
            return


def _frame(
    key: ImageKey, files: KeyframeFiles, keyframe_id: int, lenses: Mapping[str, Intrinsics]
) -> Frame:
    stamp, camera = key
    path = files.image(keyframe_id)
    image = cv2.imread(str(path))
    if image is None:
        raise OSError(f"{path}, the image of a keyframe, cannot be read any more")
    return Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp, camera, lenses.get(camera))
