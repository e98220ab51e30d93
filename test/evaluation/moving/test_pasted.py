# SPDX-License-Identifier: Apache-2.0
"""If these fail, people are put where a wall should hide them, or the truth about them is wrong,
and what a mapper makes of real pictures with movers is judged by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.evaluation.moving.pasted import PastedMovers
from dens3r_ros.evaluation.moving.truth import true_motion
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.source import Source, SourceError, Truth

SIZE, NEAR, FAR = (60, 80), 1.2, 3.0
CAMERA = Intrinsics(60.0, 60.0, 39.5, 29.5, 80, 60)


class Corridor:
    """A grey wall 3 m before a camera that turns a little at 1.5 m above the floor; on the right
    one at 1.2 m, where nobody fits. The world's y axis points down."""

    name = "corridor"

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> Frame:
        index = range(len(self))[index]
        return Frame(np.full((*SIZE, 3), 128, np.uint8), index * 10**8, intrinsics=CAMERA)

    def truth(self, index: int) -> Truth:
        v, u = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
        floor = 1.5 * CAMERA.fy / np.maximum(v - CAMERA.cy, 1e-3)
        depth = np.where(u > 60, np.float32(NEAR), np.minimum(floor, FAR)).astype(np.float32)
        T = np.eye(4)
        T[:3, :3] = Rotation.from_euler("y", 20 * np.sin(index / 5), degrees=True).as_matrix()
        return Truth(depth, T)


@pytest.fixture(scope="module")
def pasted() -> PastedMovers:
    return PastedMovers(Corridor(), people=2, seed=1)


def test_people_are_before_what_is_behind_them_and_hidden_by_what_is_before(
    pasted: PastedMovers,
) -> None:
    plain = Corridor()
    covered = 0
    for index in range(0, 30, 3):
        truth, wall = pasted.truth(index), plain.truth(index)
        moving = truth.moving
        covered += int(moving.sum())
        assert (truth.depth[moving] < wall.depth[moving]).all()
        np.testing.assert_array_equal(truth.depth[~moving], wall.depth[~moving])
        changed = (pasted[index].image != plain[index].image).any(-1)
        assert changed[moving].mean() > 0.95, "the mask is where the picture changed"
        assert not changed[~moving].mean() > 0.05
    assert covered > 0.02 * 10 * SIZE[0] * SIZE[1]


def test_people_stand_upright_on_the_floor(pasted: PastedMovers) -> None:
    heights = []
    for index in range(0, 30, 3):
        truth = pasted.truth(index)
        v, u = np.nonzero(truth.moving)
        z = truth.depth[v, u]
        rays = np.stack(((u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(len(u))))
        heights.append(1.5 - (truth.T_world_camera[:3, :3] @ (rays * z))[1])
    above = np.concatenate(heights)
    assert above.min() > -0.05 and 1.4 < above.max() < 2.05


def test_the_truth_tells_how_far_they_moved(pasted: PastedMovers) -> None:
    moved = [true_motion(pasted, index, 0.1) for index in range(0, 30, 3)]
    assert sum(int(one.far.sum()) for one in moved if one is not None) > 0


def test_the_same_seed_gives_the_same_people(pasted: PastedMovers) -> None:
    again = PastedMovers(Corridor(), people=2, seed=1)
    np.testing.assert_array_equal(again[7].image, pasted[7].image)
    other = PastedMovers(Corridor(), people=2, seed=2)
    assert (other[7].image != pasted[7].image).any()


@pytest.mark.parametrize("lacking", ["depth", "pose", "lens"])
def test_what_a_sequence_lacks_is_told(lacking: str) -> None:
    class Poor(Corridor):
        def __getitem__(self, index: int) -> Frame:
            frame = super().__getitem__(index)
            return replace(frame, intrinsics=None) if lacking == "lens" else frame

        def truth(self, index: int) -> Truth | None:  # type: ignore[override]
            truth = super().truth(index)
            nothing = np.full(SIZE, np.nan, np.float32)
            if lacking == "pose":
                return None
            return replace(truth, depth=nothing) if lacking == "depth" else truth

    poor: Source = Poor()
    with pytest.raises(SourceError, match=r"corridor.*people are put in by"):
        PastedMovers(poor, people=1)
