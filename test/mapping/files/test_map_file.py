# SPDX-License-Identifier: Apache-2.0
"""A saved map is work that cannot be repeated: it must outlive crashes and be found again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_maps import CONFIG, FRAMES, mapper_for

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.files.map_file import SavedMap, write_map
from dens3r_ros.mapping.files.map_reading import read_info, read_map
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking


def test_a_loaded_map_is_the_saved_one_and_frames_find_their_place_in_it(saved, walk) -> None:
    mapper, path = saved
    before = {view.id: view for view in mapper.keyframes()}
    trajectory = mapper.trajectory()
    other = mapper_for(walk)
    other.step(walk[0])
    assert other.load(path) == len(before)
    after = {view.id: view for view in other.keyframes()}
    assert after.keys() == before.keys()
    for number, view in after.items():
        assert view.T_map_camera == pytest.approx(before[number].T_map_camera)
        depths = [float(np.median(v.points[..., 2])) for v in (view, before[number])]
        assert depths[0] == pytest.approx(depths[1], rel=0.03)
    assert other.levelled_by == mapper.levelled_by == "camera"
    placed = {pose.stamp: pose.T_map_camera for pose in other.trajectory()}
    assert len(placed) == len(trajectory)
    update = other.step(walk[6])
    assert update.state is Tracking.TRACKING, update.reason
    assert update.epoch == 1
    there = placed[walk[6].stamp]
    assert update.T_map_camera[:3, 3] == pytest.approx(there[:3, 3], abs=0.15)
    assert update.T_map_camera[:3, :3] == pytest.approx(there[:3, :3], abs=0.05)
    update = other.step(walk[7])
    assert update.state is Tracking.TRACKING
    assert update.counters.keyframes >= len(before)


class Unrelated(OracleEngine):
    """Knows of every pair that its views have nothing in common."""

    def _find(self, stamp):
        return 0

    def decode(self, pairs, outputs):
        prediction = super().decode(pairs, outputs)
        prediction.confidence_a[:] = prediction.confidence_b[:] = 1
        return prediction


def test_frames_from_elsewhere_stay_without_a_place(saved, box_room, camera_pose) -> None:
    _, path = saved
    elsewhere = box_room(np.array([camera_pose(0, 0, -1, 180)]))
    other = Mapper(Unrelated(elsewhere, long_side=160), CONFIG)
    other.load(path)
    update = other.step(elsewhere[0])
    assert update.state is Tracking.RELOCALISING
    assert update.T_map_camera is None
    assert "loaded map" in update.reason


def test_a_map_is_named_for_what_it_is(saved) -> None:
    mapper, path = saved
    info = read_info(path)
    assert info.engine == "oracle"
    assert info.frames == FRAMES
    assert info.keyframes == tuple(view.id for view in mapper.keyframes())
    assert not info.metric


def test_what_is_no_whole_map_is_refused_in_a_sentence_and_the_old_map_stays(
    saved, walk, tmp_path
) -> None:
    mapper, path = saved
    whole = path.read_bytes()
    before = [pose.T_map_camera for pose in mapper.trajectory()]
    broken = tmp_path / "broken.map"
    middle = whole.index(b"\xff\xd8\xff") + 500
    flipped = bytes([whole[middle] ^ 1])
    cases = [
        (b"", "no map"),
        (b"hello", "no map"),
        (whole[: len(whole) // 2], "no map"),
        (whole[:middle] + flipped + whole[middle + 1 :], "damaged"),
        (whole.replace(b'"version": 1', b'"version": 9'), "damaged"),
    ]
    for content, expected in cases:
        broken.write_bytes(content)
        with pytest.raises(ValueError, match=expected):
            mapper.load(broken)
    with pytest.raises(OSError, match="no map at"):
        mapper.load(tmp_path / "nothing.map")
    with pytest.raises(OSError, match="does not exist"):
        mapper.save(tmp_path / "no folder" / "a.map")
    with pytest.raises(ValueError, match="metres"):
        mapper_for(walk, metric=True).load(path)
    assert np.array_equal(before, [pose.T_map_camera for pose in mapper.trajectory()])


def save_for_ever(path: Path, saved: SavedMap, begun) -> None:
    begun.set()
    count = 0
    while True:
        count += 1
        write_map(path, replace(saved, records=saved.records * (count % 7 + 1)))


def test_killing_a_save_at_any_moment_leaves_a_whole_map(saved) -> None:
    mapper, path = saved
    before = read_map(path)
    info = replace(mapper.engine.info, name="again")
    poses, edges, records = before.poses, before.edges, before.records
    again = SavedMap(info, False, "camera", 9, poses, edges, records, before.keyframes)
    random = np.random.default_rng(0)
    processes = multiprocessing.get_context("fork")
    sizes = set()
    for attempt in range(200):
        begun = processes.Event()
        child = processes.Process(target=save_for_ever, args=(path, again, begun))
        child.start()
        assert begun.wait(60)
        # A busy machine needs longer to finish even one.
        time.sleep(random.uniform(0.0, 0.08 + 0.01 * attempt))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        found = read_map(path)
        assert [k.stored.id for k in found.keyframes] == [k.stored.id for k in before.keyframes]
        sizes.add(len(found.records))
        if attempt >= 20 and len(sizes) > 1:
            return
    pytest.fail("no save was ever finished")


def test_a_map_that_has_not_begun_can_be_saved_and_begun(walk, tmp_path) -> None:
    assert mapper_for(walk).save(tmp_path / "empty.map") == 0
    other = mapper_for(walk)
    assert other.load(tmp_path / "empty.map") == 0
    update = other.step(walk[0])
    assert update.state is Tracking.TRACKING
    assert update.epoch == 1


def test_a_snapshot_stays_as_it_was_while_the_camera_goes_on(walk, tmp_path) -> None:
    mapper = mapper_for(walk)
    for index in range(8):
        mapper.step(walk[index])
    mapper.save(tmp_path / "then.map")
    snapshot = mapper.snapshot()
    for index in range(8, len(walk)):
        mapper.step(walk[index])
    write_map(tmp_path / "later.map", snapshot)
    manifests = []
    for name in ("then.map", "later.map"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            manifests.append(archive.read("manifest.json"))
    assert manifests[0] == manifests[1]  # it holds the checksums of all else


def test_what_is_no_regular_file_is_refused_at_once(saved, tmp_path) -> None:
    """A pipe as path held the whole node up for ever."""
    mapper, _ = saved
    pipe = tmp_path / "pipe.map"
    os.mkfifo(pipe)
    os.mkfifo(tmp_path / ".new.map.part")
    for odd in (pipe, Path("/dev/zero")):
        with pytest.raises(ValueError, match="no regular file"):
            mapper.load(odd)
        with pytest.raises(ValueError, match="no regular file"):
            mapper.save(odd)
    assert pipe.is_fifo() and Path("/dev/zero").is_char_device()
    assert mapper.save(tmp_path / "new.map") == len(mapper.keyframes())


def test_a_file_larger_than_any_map_is_not_read(saved, tmp_path) -> None:
    mapper, _ = saved
    huge = tmp_path / "huge.map"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="1024 GiB"):
        mapper.load(huge)


def test_only_maps_are_replaced_and_never_by_an_empty_one(saved, walk, tmp_path) -> None:
    mapper, path = saved
    text = tmp_path / "notes.txt"
    text.write_text("not a map")
    with pytest.raises(ValueError, match="move it away"):
        mapper.save(text)
    assert text.read_text() == "not a map"
    empty = mapper_for(walk)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="the map is empty"):
        empty.save(path)
    assert path.read_bytes() == whole
    assert empty.save(tmp_path / "empty.map") == empty.save(tmp_path / "empty.map") == 0
    assert mapper.save(tmp_path / "empty.map") > 4
    assert mapper.save(path) > 4
