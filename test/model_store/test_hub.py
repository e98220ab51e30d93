# SPDX-License-Identifier: Apache-2.0
"""Mirrors and tokens: without these, gated models cannot be had, or a token leaks to a stranger."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from bad_server import CONTENT, QUICK, BadServer

from dens3r_ros.model_store.fetch import fetch
from dens3r_ros.model_store.manifest import ModelEntry, ModelError


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
