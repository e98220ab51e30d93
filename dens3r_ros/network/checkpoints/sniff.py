# SPDX-License-Identifier: Apache-2.0
"""Tells from a file's first bytes what it is, so that a wrong one can be named."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Literal

from dens3r_ros.network.errors import wrong_file

Kind = Literal["torch", "safetensors"]

_MAGIC = (
    (b"version https://git-lfs", "a Git LFS pointer, the weights themselves were not downloaded"),
    (b"\x89HDF\r\n", "an HDF5 file, such as Keras weights"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"GGUF", "a GGUF file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program or library"),
)


def kind_of(path: Path) -> Kind:
    """What reads `path`; raises WeightsError, naming what it seems to be, where nothing does."""
    size = path.stat().st_size
    if size == 0:
        raise wrong_file(path, "an empty file")
    with path.open("rb") as file:
        start = file.read(512)
    if start[5:9] == b"\0\0\0{":
        # Before it stands the header's length, whose lowest byte may be any other file's first.
        _check_safetensors(path, start, size)
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        _check_zip(path)
        return "torch"
    seems = next((name for magic, name in _MAGIC if start.startswith(magic)), None)
    seems = seems or _text_kind(start) or _protobuf_kind(path, start)
    if seems:
        raise wrong_file(path, seems)
    if start[:1] == b"\x80":
        return "torch"
    _check_safetensors(path, start, size)
    return "safetensors"


def _check_zip(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise wrong_file(
            path, f"a truncated download ({path.stat().st_size:,} bytes of a longer zip file)"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise wrong_file(path, f"a damaged zip file ({error})") from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise wrong_file(path, "a TorchScript module")
    if not any(name.endswith("data.pkl") for name in names):
        listed = ", ".join(names[:3])
        raise wrong_file(path, f"a zip archive that torch did not write (it holds {listed})")


def _text_kind(start: bytes) -> str | None:
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page, not the file it should link to"
    if text.startswith((b"{", b"[")):
        return "a JSON file"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "a text file"
    return None


def _protobuf_kind(path: Path, start: bytes) -> str | None:
    if path.suffix == ".onnx" or (start[:1] == b"\x08" and b"pytorch" in start[:64]):
        return "an ONNX model"
    if path.suffix in (".pb", ".tflite") or b"saved_model" in start or start[4:8] == b"TFL3":
        return "a TensorFlow model"
    if path.suffix in (".index", ".h5") or ".ckpt.data-" in path.name or ".data-0" in path.name:
        return "a TensorFlow checkpoint"
    return None


def _check_safetensors(path: Path, start: bytes, size: int) -> None:
    length = struct.unpack("<Q", start[:8])[0] if len(start) >= 9 else 0
    if start[8:9] != b"{":
        raise wrong_file(path, "a file of a kind unknown here, or a damaged one")
    if 8 + length > size:
        raise wrong_file(path, f"a truncated safetensors file ({size:,} bytes)")
