# SPDX-License-Identifier: Apache-2.0
"""Files of splats, by the end of their names."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.splats.formats.ply_file import SplatsFileError, ply_bytes, splats_of_ply
from dens3r_ros.splats.formats.splat_file import splat_bytes, splats_of_splat
from dens3r_ros.splats.splats import Splats

SUFFIXES = (".ply", ".splat", ".spz")


class SpzUnavailable(ImportError):
    """The library for .spz is missing; the message says how to get it."""


def check_suffix(path: Path) -> None:
    """SplatsFileError, or SpzUnavailable, where no file of that name can be written or read."""
    if path.suffix.lower() not in SUFFIXES:
        raise SplatsFileError(f"{path}: files of splats end in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".spz":
        _forge()


def write_splats(path: Path, splats: Splats) -> None:
    """Write a file that viewers and renderers of splats read; the suffix says which kind.

    .ply keeps every number; .splat has 8 bits for colours, opacities and turns, and no harmonics
    but the constant one; .spz is small, with 8 to 24 bits for a number.
    """
    check_suffix(path)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(_content(path, splats))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _content(path: Path, splats: Splats) -> bytes:
    kind = path.suffix.lower()
    if kind == ".splat":
        return splat_bytes(splats)
    content = ply_bytes(splats)
    return content if kind == ".ply" else _converted(content, "ply", "spz", path)


def read_splats(path: Path) -> Splats:
    """What such a file holds; OSError or SplatsFileError with a sentence."""
    check_suffix(path)
    content, kind = path.read_bytes(), path.suffix.lower()
    if kind == ".splat":
        return splats_of_splat(content, str(path))
    if kind == ".spz":
        content = _converted(content, "spz", "ply", path)
        if not content.startswith(b"ply"):
            raise SplatsFileError(f"{path} is no .spz file, or only a part of one")
    return splats_of_ply(content, str(path))


def _converted(content: bytes, have: str, want: str, path: Path) -> bytes:
    answer = _forge()(content, have, want)
    if "error" in answer:
        raise SplatsFileError(f"{path}: {answer['error']}")
    return bytes(answer["data"])


def _forge():  # type: ignore[no-untyped-def]
    try:
        import gaussforge
    except ImportError as error:
        raise SpzUnavailable(
            ".spz needs gaussforge, which is not installed: pip install 'dens3r_ros[splats]'"
        ) from error
    return gaussforge.GaussForge().convert
