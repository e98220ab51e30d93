# SPDX-License-Identifier: Apache-2.0
"""Weights over a bad line: without these, a cut loses a gigabyte, or half a file passes for one."""

from __future__ import annotations

import hashlib
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dens3r_ros.model_store import fetch as fetching
from dens3r_ros.model_store.fetch import Patience, fetch
from dens3r_ros.model_store.manifest import Licence, ModelEntry, ModelError

CONTENT = bytes(range(256)) * 12_000
QUICK = Patience(tries=3, pause_s=0.01)


class BadServer(http.server.ThreadingHTTPServer):
    """Serves CONTENT, as badly as told."""

    cut_after: int | None = None
    cuts_left = 0
    ranges = True
    content = CONTENT
    content_type = "application/octet-stream"
    tag = '"one"'
    status = 200
    moved_to: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.tokens: list[str | None] = []
        self.paths: list[str] = []

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what some tests want."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: BadServer

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        server.tokens.append(self.headers.get("Authorization"))
        server.paths.append(self.path)
        if server.moved_to:
            self.send_response(302)
            self.send_header("Location", server.moved_to)
            return self.end_headers()
        if server.status != 200:
            return self.send_error(server.status)
        start = 0
        if asked and server.ranges and self.headers.get("If-Range", server.tag) == server.tag:
            match = re.fullmatch(r"bytes=(\d+)-", asked)
            assert match
            start = int(match[1])
        self._send(start)

    def _send(self, start: int) -> None:
        server = self.server
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
        self.send_header("Content-Type", server.content_type)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.send_header("ETag", server.tag)
        self.end_headers()
        body = server.content[start:]
        if server.cuts_left > 0:
            server.cuts_left -= 1
            body = body[: server.cut_after]
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def entry(server: BadServer) -> ModelEntry:
    return ModelEntry(
        name="thing",
        family="test",
        description="",
        licence=Licence("L", "L", "", ""),
        file="thing.pth",
        url=f"http://127.0.0.1:{server.server_port}/thing.pth",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )


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


@pytest.fixture
def hub_entry(server: BadServer, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """A file of the hub, whose mirror is the server here."""
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_HOME", "/nowhere")
    page = "https://huggingface.co/a/b"
    return replace(entry, url=f"{page}/resolve/main/thing.pth", page=page, gated=True)


def test_the_hubs_mirror_and_token_are_taken_from_the_environment(
    server: BadServer, hub_entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch(hub_entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert server.paths == ["/a/b/resolve/main/thing.pth"]
    assert server.tokens == ["Bearer hf_secret"]


def test_no_token_goes_to_other_hosts(
    server: BadServer, entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(entry, folder=tmp_path, patience=QUICK)
    assert server.tokens == [None]


def test_a_redirection_to_another_host_loses_the_token(
    server: BadServer, hub_entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with BadServer() as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        server.moved_to = f"http://127.0.0.1:{other.server_port}/elsewhere"
        assert fetch(hub_entry, folder=tmp_path, patience=QUICK).read_bytes() == CONTENT
        other.shutdown()
    assert server.tokens == ["Bearer hf_secret"] and other.tokens == [None]


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [
        (
            "",
            401,
            "wants a token.*sign in at https://huggingface.co/a/b.*settings/tokens.*HF_TOKEN",
        ),
        ("hf_secret", 403, "not let in.*sign in at https://huggingface.co/a/b"),
    ],
)
def test_a_gated_model_says_what_to_accept_and_where_the_token_goes(
    server: BadServer,
    hub_entry: ModelEntry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    status: int,
    said: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    server.status = status
    with pytest.raises(ModelError, match=said):
        fetch(hub_entry, folder=tmp_path, patience=QUICK)
    assert not (tmp_path / "thing.pth").exists()
