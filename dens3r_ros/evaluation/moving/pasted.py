# SPDX-License-Identifier: Apache-2.0
"""A sequence of a place where nobody is, with people put into its pictures at true depth."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.evaluation.true_depth import filled
from dens3r_ros.frame import Frame
from dens3r_ros.scenes.moving.alone import SeenMovers, movers_alone
from dens3r_ros.scenes.moving.cast import Movers
from dens3r_ros.scenes.moving.crowd import CrowdOptions, crowd
from dens3r_ros.scenes.moving.indoors import streams, walkers
from dens3r_ros.sources.source import Source, SourceError, Truth

_RATE = 30.0
_LOOKS_EVERY = 5
_FREE = 0.8
"""People walk within this share of how far one sees."""
_FLOOR = 2.0
"""Percentile of heights that is taken for the floor's."""
_COVER = 0.26


class PastedMovers:
    """Any source with poses, depth and a lens, among `people` who are rendered into its pictures.

    They stand on what is lowest and walk where the true depth leaves room before the camera; what
    is nearer than they hides them. Truth is that of the source, and of the people where they are.
    """

    def __init__(self, source: Source, people: int, seed: int = 0) -> None:
        self.name = f"{source.name} with {people} pasted movers"
        self._source, self._seed = source, seed
        self._began = source[0].stamp
        poses, stamps = _poses(source)
        self._R_up_world = _upright(poses)
        self._movers = self._walkers(poses, stamps, people)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Frame:
        """The frame at `index`, with the people in it."""
        frame = self._source[index]
        found = self._seen(index)
        if found is None:
            return frame
        seen, before = found
        # A pixel's width of both, as a lens would mix them.
        share = cv2.blur(before.astype(np.float32), (3, 3))[..., None]
        share = np.where(before[..., None], np.maximum(share, 0.5), np.minimum(share, 0.5))
        share = np.where((seen.depth > 0)[..., None], share, 0.0)
        mixed = frame.image + share * (seen.image.astype(np.float32) - frame.image)
        image = np.rint(mixed).astype(np.uint8)
        return Frame(image, frame.stamp, frame.camera, frame.intrinsics)

    def truth(self, index: int) -> Truth | None:
        """Depth and motion of what is seen, people and all."""
        truth, found = self._source.truth(index), self._seen(index)
        if truth is None or found is None:
            return truth
        seen, before = found
        depth = np.where(before, seen.depth, truth.depth)
        moving = before & seen.motion.moving
        velocity = np.where(moving[..., None], seen.motion.velocity, np.float32(0))
        normals = truth.normals
        if normals is not None:
            normals = np.where(before[..., None], np.float32(0), normals)
        return Truth(depth, truth.T_world_camera, normals, moving, velocity)

    def _seen(self, index: int) -> tuple[SeenMovers, np.ndarray] | None:
        """The people, and (H, W) bool where they are before everything else."""
        frame, truth = self._source[index], self._source.truth(index)
        if truth is None or frame.intrinsics is None:
            return None
        T = self._raised(truth.T_world_camera)
        seconds = (frame.stamp - self._began) * 1e-9
        seen = movers_alone(self._movers, frame.intrinsics, T, seconds, self._seed)
        behind = filled(truth.depth, 0)
        return seen, (seen.depth > 0) & ~(seen.depth >= behind)

    def _raised(self, T_world_camera: np.ndarray) -> np.ndarray:
        """The same pose in a world whose z points up."""
        T = T_world_camera.copy()
        T[:3] = self._R_up_world @ T_world_camera[:3]
        return T

    def _walkers(self, poses: np.ndarray, stamps: np.ndarray, people: int) -> Movers:
        raised = np.stack([self._raised(T) for T in poses])
        seconds = (stamps - self._began) * 1e-9
        times = np.arange(0.0, seconds[-1] + 1.0, 1.0 / _RATE)
        place = np.stack([np.interp(times, seconds, raised[:, i, 3]) for i in range(3)], -1)
        turn = np.unwrap(np.arctan2(raised[:, 1, 2], raised[:, 0, 2]))
        floor, at, room = self._surroundings()
        camera = self._source[0].intrinsics
        assert camera is not None
        options = CrowdOptions(
            people=people,
            cover=_COVER,
            keep=1.3,
            half_view=float(np.arctan(0.5 * camera.width / camera.fx)),
            eye=float(np.median(place[:, 2]) - floor),
        )
        free = _FREE * np.interp(times, at, room)
        routes = crowd(place, np.interp(times, seconds, turn), _RATE, self._seed, options, free)
        # All stand on one floor, however the camera goes up and down.
        routes = [route.on(floor) for route in routes]
        return Movers(tuple(walkers(routes, streams(self._seed), self._seed)))

    def _surroundings(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Height of the floor, metres; seconds, and metres that one sees then."""
        heights, at, room = [], [], []
        for index in range(0, len(self._source), _LOOKS_EVERY):
            frame, truth = self._source[index], self._source.truth(index)
            if truth is None or frame.intrinsics is None or not np.isfinite(truth.depth).any():
                continue
            camera, T = frame.intrinsics, self._raised(truth.T_world_camera)
            depth = truth.depth[::8, ::8]
            v, u = np.mgrid[: depth.shape[0], : depth.shape[1]] * 8
            x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
            rays = np.stack((x, y, np.ones_like(x)), -1)
            heights.append(((rays * depth[..., None]) @ T[2, :3] + T[2, 3])[np.isfinite(depth)])
            at.append((frame.stamp - self._began) * 1e-9)
            room.append(float(np.nanmedian(depth)))
        if not heights:
            raise SourceError(f"{self.name}: people are put in by depth, and no frame has any.")
        return float(np.percentile(np.concatenate(heights), _FLOOR)), np.array(at), np.array(room)


def _poses(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """T_world_camera (N, 4, 4) and stamps (N,) of frames that have a pose."""
    found = [(source[i].stamp, source.truth(i)) for i in range(len(source))]
    known = [(stamp, truth.T_world_camera) for stamp, truth in found if truth is not None]
    if len(known) < 2 or source[0].intrinsics is None:
        raise SourceError(
            f"{source.name}: people are put in by the camera's poses and lens, which must be known."
        )
    stamps, poses = zip(*known, strict=True)
    return np.stack(poses), np.array(stamps)


def _upright(poses: np.ndarray) -> np.ndarray:
    """(3, 3) turn after which z points up: no camera's x axis does, and y axes point down."""
    up = np.linalg.svd(poses[:, :3, 0])[2][-1]
    down = poses[:, :3, 1].mean(0)
    if np.ptp(poses[:, :3, 0], axis=0).max() < 0.5:
        up = -down  # A camera that hardly turns tells only by itself what is down.
    up = up if up @ down < 0 else -up
    turn, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up / np.linalg.norm(up)])
    return np.asarray(turn.as_matrix())
