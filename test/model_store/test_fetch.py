# SPDX-License-Identifier: Apache-2.0
"""Weights over a bad line: without these, a cut loses a gigabyte, or half a file passes for one."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bad_server import CONTENT, QUICK, BadServer

from dens3r_ros.model_store import fetch as fetching
from dens3r_ros.model_store.fetch import Patience, fetch
from dens3r_ros.model_store.manifest import ModelEntry, ModelError


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_whole_file_arrives_under_its_name_only(entry: ModelEntry, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = fetch(entry, lambda *seen: told.append(seen), tmp_path, QUICK)
    assert path.read_bytes() == CONTENT
    assert left_behind(tmp_path) == {"thing.pth"}
    assert told[0] == (0, len(CONTENT)) and told[-1] == (len(CONTENT), len(CONTENT))


def test_cuts_are_resumed_not_restarted(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.cut_after, server.cuts_left = 1_000_000, 2
    assert fetch(entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_server_without_ranges_starts_anew(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.cut_after, server.cuts_left, server.ranges = 1_000_000, 1, False
    assert fetch(entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert left_behind(tmp_path) == {"thing.pth"}


def test_giving_up_keeps_what_came_for_the_next_call(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.cut_after, server.cuts_left = 0, 100
    (tmp_path / "thing.pth.part").write_bytes(CONTENT[:500])
    with pytest.raises(ModelError, match=r"500 bytes.*run the same command again"):
        fetch(entry, folder=tmp_path, patience=QUICK)
    assert (tmp_path / "thing.pth.part").read_bytes() == CONTENT[:500]
    assert not (tmp_path / "thing.pth").exists()
    server.cuts_left = 0
    assert fetch(entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=500-"


def test_a_whole_part_file_is_taken_as_it_is(entry: ModelEntry, tmp_path: Path) -> None:
    (tmp_path / "thing.pth.part").write_bytes(CONTENT)
    assert fetch(entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT


def test_halves_of_two_versions_are_never_joined(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.cut_after, server.cuts_left = 1000, 100
    with pytest.raises(ModelError):
        fetch(replace(entry, sha256="0" * 64), folder=tmp_path, patience=Patience(1, 0.01))
    server.cuts_left, server.tag, server.content = 0, '"two"', CONTENT[::-1]
    reversed_hash = hashlib.sha256(CONTENT[::-1]).hexdigest()
    path = fetch(replace(entry, sha256=reversed_hash), folder=tmp_path, patience=QUICK)
    assert path.read_bytes() == CONTENT[::-1]


def test_a_wrong_hash_is_named_and_nothing_is_kept(entry: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"SHA-256 is .* but should be 0000"):
        fetch(replace(entry, sha256="0" * 64), folder=tmp_path, patience=QUICK)
    assert left_behind(tmp_path) == set()


def test_a_wrong_size_is_named(entry: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"should have 5 bytes but 3,072,000 came"):
        fetch(replace(entry, bytes=5), folder=tmp_path, patience=QUICK)


def test_a_web_page_is_not_taken_for_weights(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.content_type = "text/html"
    with pytest.raises(ModelError, match="web page instead of the weights"):
        fetch(entry, folder=tmp_path, patience=QUICK)


def test_a_missing_file_is_not_asked_for_again(
    server: BadServer, entry: ModelEntry, tmp_path: Path
) -> None:
    server.status = 404
    with pytest.raises(ModelError, match=r"answered 404.*put the file at .*thing\.pth"):
        fetch(entry, folder=tmp_path, patience=QUICK)
    assert len(server.asked) == 1


def test_no_server_at_all_is_told_in_a_sentence(entry: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="stopped after 0 bytes"):
        fetch(replace(entry, url="http://127.0.0.1:1/x"), folder=tmp_path, patience=QUICK)


def test_a_disk_that_fills_up_is_told_in_a_sentence(entry: ModelEntry, tmp_path: Path) -> None:
    (tmp_path / "thing.pth.part").symlink_to("/dev/full")
    with pytest.raises(ModelError, match="the disk is full"):
        fetch(entry, folder=tmp_path, patience=QUICK)


def test_a_disk_too_small_is_seen_beforehand(
    entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 5, 5))
    with pytest.raises(ModelError, match=r"3,072,000 more bytes are needed and 5 are free"):
        fetch(entry, folder=tmp_path, patience=QUICK)


def test_two_fetches_of_one_file_do_not_mix(entry: ModelEntry, tmp_path: Path) -> None:
    with (
        fetching._only_one(tmp_path / "thing.pth.part", entry),
        pytest.raises(ModelError, match="being fetched by another command"),
    ):
        fetch(entry, folder=tmp_path, patience=QUICK)


def test_a_folder_without_permission_is_named(entry: ModelEntry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        fetch(entry, folder=tmp_path / "file" / "below", patience=QUICK)
