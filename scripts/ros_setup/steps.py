# SPDX-License-Identifier: Apache-2.0
"""Steps that are done once: each leaves a stamp, written last, inside what it vouches for."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One thing to do; `inputs` are all that its result depends on."""

    name: str
    stamp: Path
    inputs: tuple[str, ...]
    action: Callable[[], None]


def file_digest(paths: Sequence[Path]) -> str:
    """A digest of names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def keys(steps: Sequence[Step]) -> list[str]:
    """One key per step; a change of an input changes its own key and all later ones."""
    result: list[str] = []
    for step in steps:
        before = result[-1] if result else ""
        result.append(hashlib.sha256("\0".join((before, *step.inputs)).encode()).hexdigest())
    return result


def is_done(step: Step, key: str) -> bool:
    """Whether the stamp stands for exactly these inputs."""
    try:
        return step.stamp.read_text() == key
    except OSError:
        return False


def write_atomically(path: Path, text: str) -> None:
    """All of the text or nothing, whenever the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def run_steps(steps: Sequence[Step]) -> bool:
    """Do what is not done yet, in order; True if anything was done."""
    wanted = keys(steps)
    worked = False
    for number, (step, key) in enumerate(zip(steps, wanted, strict=True), 1):
        if is_done(step, key):
            continue
        worked = True
        step.stamp.unlink(missing_ok=True)
        print(f"[{number}/{len(steps)}] {step.name}", flush=True)
        start = time.monotonic()
        step.action()
        write_atomically(step.stamp, key)
        print(f"[{number}/{len(steps)}] done in {time.monotonic() - start:.1f} s", flush=True)
    return worked


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Hold the checkout for this setup and its children.

    The lock is inherited: a pip that outlives its killed parent is waited for, not raced.
    """
    descriptor = os.open(root, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another setup is still at work here; waiting for it.", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
