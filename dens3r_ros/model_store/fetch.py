# SPDX-License-Identifier: Apache-2.0
"""Bringing weights here: resumed after a cut, checked, and in place only when whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.model_store import hub
from dens3r_ros.model_store.manifest import ModelEntry, ModelError
from dens3r_ros.model_store.places import model_cache

CHUNK = 1 << 20
TIMEOUT_S = 30.0
Progress = Callable[[int, int | None], None]
"""Told the bytes on disk and the whole size, None where the server does not say."""


@dataclass(frozen=True)
class Patience:
    """How often a download that brings nothing new is tried again, and the first pause."""

    tries: int = 5
    pause_s: float = 1.0


class _Cut(Exception):
    """The connection ended before the file did."""


def fetch(
    entry: ModelEntry,
    progress: Progress = lambda done, total: None,
    folder: Path | None = None,
    patience: Patience | None = None,
) -> Path:
    """Bring a model's file into the cache and return its path; at once where it is there already.

    Bytes gather in a `.part` file that a later call resumes, and which takes the final name only
    when it is whole and its size and hash, where known, are right.
    """
    if entry.path is not None and folder is None:
        return entry.path
    target = (folder or model_cache()) / entry.file
    if entry.url is None and entry.page is not None:
        raise ModelError(
            f"{entry.name} cannot be fetched by a program: bring it by hand from the address that"
            f" stands on {entry.page}, and put it at {target}"
        )
    if entry.url is None:
        raise ModelError(f"{entry.name} ships with dens3r_ros but {entry.file} is missing")
    part = target.with_name(target.name + ".part")
    with _explained(entry, part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(part, entry):
            if not target.exists():
                _download_patiently(entry, part, progress, patience or Patience())
                _check(entry, part)
                _publish(part, target)
    return target


def _download_patiently(entry: ModelEntry, part: Path, progress: Progress, p: Patience) -> None:
    failures, pause = 0, p.pause_s
    while True:
        before = _size(part)
        try:
            return _download(entry, part, progress)
        except (_Cut, urllib.error.URLError, http.client.HTTPException, OSError) as error:
            if _final(error):
                raise
            failures = 1 if _size(part) > before else failures + 1
            if failures >= p.tries:
                raise ModelError(
                    f"the download of {entry.name} stopped after {_size(part):,} bytes: {error}."
                    " They are kept: run the same command again to go on from there"
                ) from error
        time.sleep(pause)
        pause = min(2 * pause, 30.0)


def _final(error: Exception) -> bool:
    """Whether trying again is no use."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code < 500 and error.code not in (408, 429)
    network = (_Cut, urllib.error.URLError, http.client.HTTPException, ConnectionError)
    return not isinstance(error, (*network, TimeoutError))


def _download(entry: ModelEntry, part: Path, progress: Progress) -> None:
    """One connection's worth of the file, from where `part` ends."""
    assert entry.url is not None
    start = _size(part)
    try:
        opener = urllib.request.build_opener(hub.TokenStaysHome)
        response = opener.open(_request(entry.url, part, start), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return
        _discard(part)
        raise _Cut("what had been kept was longer than the file") from error
    with response:
        _refuse_web_page(entry, response)
        resumed = response.status == 206 and _range_start(response.headers) == start
        total = _total(response.headers)
        _remember_version(part, response.headers)
        _make_sure_of_space(entry, part, (total or 0) - (start if resumed else 0))
        done = _append(response, part, start if resumed else 0, total, progress)
    if total is not None and done < total:
        raise _Cut(f"the connection was cut at {done:,} of {total:,} bytes")


def _request(url: str, part: Path, start: int) -> urllib.request.Request:
    headers = {"User-Agent": "dens3r_ros", "Accept-Encoding": "identity"}
    headers |= hub.authorization(url)
    version = _version_file(part)
    if start:
        headers["Range"] = f"bytes={start}-"
        if version.exists():
            headers["If-Range"] = version.read_text(encoding="ascii")
    return urllib.request.Request(hub.mirrored(url), headers=headers)


def _append(
    response: http.client.HTTPResponse,
    part: Path,
    start: int,
    total: int | None,
    progress: Progress,
) -> int:
    done = start
    with part.open("ab" if start else "wb") as file:
        progress(done, total)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    return done


def _total(headers: http.client.HTTPMessage) -> int | None:
    """The size of the whole file, from a whole or a partial answer."""
    match = re.fullmatch(r"bytes [^/]+/(\d+)", headers.get("Content-Range", ""))
    length = match[1] if match else headers.get("Content-Length")
    return int(length) if length is not None else None


def _range_start(headers: http.client.HTTPMessage) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _refuse_web_page(entry: ModelEntry, response: http.client.HTTPResponse) -> None:
    if response.headers.get_content_type() == "text/html":
        raise ModelError(
            f"{entry.url} answered with a web page instead of the weights;"
            f" look at {entry.page or entry.url}"
        )


def _remember_version(part: Path, headers: http.client.HTTPMessage) -> None:
    """So that a resumed download never joins halves of two different files."""
    tag = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        _version_file(part).write_text(tag, encoding="ascii")
    else:
        _version_file(part).unlink(missing_ok=True)


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _make_sure_of_space(entry: ModelEntry, part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise ModelError(
            f"not enough space for {entry.name} in {part.parent}: {missing:,} more bytes are"
            f" needed and {free:,} are free; make room, or set XDG_CACHE_HOME to a larger disk"
        )


def _check(entry: ModelEntry, part: Path) -> None:
    size = _size(part)
    if entry.bytes is not None and size != entry.bytes:
        _discard(part)
        raise ModelError(f"{entry.name} should have {entry.bytes:,} bytes but {size:,} came")
    if entry.sha256 is None:
        return
    found = sha256_of(part)
    if found != entry.sha256:
        _discard(part)
        raise ModelError(
            f"what {entry.url} sent is not {entry.name}: its SHA-256 is {found}"
            f" but should be {entry.sha256}; it was deleted"
        )


def sha256_of(path: Path) -> str:
    """The hash of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _publish(part: Path, target: Path) -> None:
    os.replace(part, target)
    _version_file(part).unlink(missing_ok=True)


def _discard(part: Path) -> None:
    part.unlink()
    _version_file(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _only_one(part: Path, entry: ModelEntry) -> Iterator[None]:
    """Keep two commands from writing the same file."""
    lock = part.with_name(part.name + ".lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(f"{entry.name} is being fetched by another command") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(entry: ModelEntry, part: Path) -> Iterator[None]:
    """Say in words what the system says in numbers."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise ModelError(
            hub.refusal(entry, error.code)
            or f"{entry.url} answered {error.code} ({error.reason});"
            f" look at {entry.page or entry.url}, then put the file at {part.with_suffix('')}"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"the disk is full: {_size(part):,} bytes of {entry.name} are kept in"
                f" {part.parent}; make room and run the same command again"
            ) from error
        raise ModelError(f"{entry.name} cannot be written to {part.parent}: {error}") from error
