# SPDX-License-Identifier: Apache-2.0
"""A map that no other program opens, or opens upside down or in other colours, if these fail."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_splats import scattered

from dens3r_ros.splats.files import SpzUnavailable, read_splats, write_splats
from dens3r_ros.splats.formats.ply_file import SplatsFileError, splats_of_ply
from dens3r_ros.splats.gaussians import splats_of
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats, no_splats


def some(degree: int = 2) -> Splats:
    return splats_of(scattered(50, 7, degree, torch.float32), "map", metric=True)


def by_another_reader(path: Path, kind: str) -> dict:
    forge = pytest.importorskip("gaussforge", reason="gaussforge, another reader, is missing")
    answer = forge.GaussForge().read(path.read_bytes(), kind)
    assert "error" not in answer, answer
    return answer["data"]


@pytest.mark.parametrize("degree", range(5))
def test_ply_keeps_every_number(tmp_path: Path, degree: int) -> None:
    splats = some(degree)
    write_splats(tmp_path / "a.ply", splats)
    again = read_splats(tmp_path / "a.ply")
    for name in ("means", "log_scales", "harmonics"):
        assert np.array_equal(getattr(again, name), getattr(splats, name)), name
    assert np.allclose(again.opacities, splats.opacities, atol=2e-6)
    assert np.allclose(again.rotations, splats.rotations, atol=1e-6)
    assert (again.frame, again.metric) == ("map", True)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_another_reader_finds_the_same_in_a_ply(tmp_path: Path, degree: int) -> None:
    splats = some(degree)
    write_splats(tmp_path / "a.ply", splats)
    found = by_another_reader(tmp_path / "a.ply", "ply")
    check_same(found, splats, 1e-5)
    rest = np.frombuffer(found["sh"], "<f4").reshape(len(splats), -1, 3)
    assert np.allclose(rest, splats.harmonics[:, 1:], atol=1e-6)


def test_another_reader_finds_the_same_in_a_splat(tmp_path: Path) -> None:
    splats = some(0)
    write_splats(tmp_path / "a.splat", splats)
    assert (tmp_path / "a.splat").stat().st_size == 32 * len(splats)
    forge = pytest.importorskip("gaussforge", reason="gaussforge, another reader, is missing")
    content = (tmp_path / "a.splat").read_bytes()
    theirs = splats_of_ply(bytes(forge.GaussForge().convert(content, "splat", "ply")["data"]), "a")
    again = read_splats(tmp_path / "a.splat")
    assert np.array_equal(theirs.means, again.means)
    assert np.allclose(theirs.opacities, again.opacities, atol=0.005)
    assert np.allclose(theirs.harmonics, again.harmonics, atol=0.02)
    assert np.abs((theirs.rotations * again.rotations).sum(1)).min() > 0.999
    order = np.argsort(again.means[:, 0])
    mine = np.argsort(splats.means[:, 0])
    assert np.array_equal(again.means[order], splats.means[mine])
    assert np.allclose(again.opacities[order], splats.opacities[mine], atol=0.003)
    turns = np.abs((again.rotations[order] * splats.rotations[mine]).sum(1))
    assert turns.min() > 0.999


def test_spz_is_small_and_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("gaussforge", reason="gaussforge, which writes .spz, is missing")
    splats = some(0)
    write_splats(tmp_path / "a.spz", splats)
    write_splats(tmp_path / "a.ply", splats)
    assert (tmp_path / "a.spz").stat().st_size < 0.5 * (tmp_path / "a.ply").stat().st_size
    again = read_splats(tmp_path / "a.spz")
    assert np.allclose(again.means, splats.means, atol=1e-3)
    assert np.allclose(again.opacities, splats.opacities, atol=0.01)
    assert np.allclose(again.log_scales, splats.log_scales, atol=0.07)
    assert np.abs((again.rotations * splats.rotations).sum(1)).min() > 0.99


def test_a_part_of_an_spz_is_said(tmp_path: Path) -> None:
    pytest.importorskip("gaussforge", reason="gaussforge, which writes .spz, is missing")
    write_splats(tmp_path / "a.spz", some(1))
    (tmp_path / "a.spz").write_bytes((tmp_path / "a.spz").read_bytes()[:100])
    with pytest.raises(SplatsFileError, match=r"a\.spz"):
        read_splats(tmp_path / "a.spz")


def test_spz_without_its_library_is_a_sentence(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gaussforge", None)
    with pytest.raises(SpzUnavailable, match=r"pip install 'dens3r_ros\[splats\]'"):
        write_splats(tmp_path / "a.spz", some(0))


@pytest.mark.parametrize("suffix", ["ply", "splat"])
def test_no_splats_at_all_are_a_file_too(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_splats(path, no_splats())
    assert len(read_splats(path)) == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "binary"),
        ("a.ply", b"P6", "no PLY"),
        ("a.splat", b"x" * 33, "33 bytes"),
        ("a.obj", b"", r"\.ply, \.splat, \.spz"),
    ],
)
def test_what_is_no_file_of_splats_is_said(tmp_path: Path, name: str, content, said) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SplatsFileError, match=said):
        read_splats(tmp_path / name)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"f_rest_8\n", b"f_odd\n", "has 8 numbers f_rest"),
        (b"element vertex 50", b"element vertex many", "tells no number"),
        (b"element vertex 50", b"element vertex -50", "tells no number"),
        (b"property float y\n", b"property float x\n", "one of them twice"),
        (b"property float y\n", b"property list uchar int y\n", "is no property of a splat"),
    ],
)
def test_a_header_that_cannot_be_is_said(tmp_path: Path, before, after, said) -> None:
    write_splats(tmp_path / "a.ply", some(1))
    content = (tmp_path / "a.ply").read_bytes()
    assert content.count(before) == 1
    (tmp_path / "a.ply").write_bytes(content.replace(before, after))
    with pytest.raises(SplatsFileError, match=said):
        read_splats(tmp_path / "a.ply")


def test_a_cloud_and_a_file_cut_short_are_no_splats(tmp_path: Path) -> None:
    from dens3r_ros.geometry.ply import write_ply

    write_ply(tmp_path / "cloud.ply", np.zeros((3, 3), np.float32), np.zeros((3, 3), np.uint8))
    with pytest.raises(SplatsFileError, match="holds no splats"):
        read_splats(tmp_path / "cloud.ply")
    write_splats(tmp_path / "a.ply", some(0))
    (tmp_path / "a.ply").write_bytes((tmp_path / "a.ply").read_bytes()[:-40])
    with pytest.raises(SplatsFileError, match="cut short"):
        read_splats(tmp_path / "a.ply")


def check_same(found: dict, splats: Splats, atol: float) -> None:
    """Another reader's numbers, of the kinds that all files hold."""

    def array(name: str, width: int) -> np.ndarray:
        return np.frombuffer(found[name], "<f4").reshape(len(splats), width)

    assert np.allclose(array("positions", 3), splats.means, atol=1e-6)
    assert np.allclose(array("scales", 3), splats.log_scales, atol=atol)
    alike = (array("rotations", 4)[:, (1, 2, 3, 0)] * splats.rotations).sum(1)
    assert np.abs(alike).min() > 1 - atol
    logits = array("alphas", 1)[:, 0].astype(np.float64)
    assert np.allclose(1 / (1 + np.exp(-logits)), splats.opacities, atol=atol)
    constant = 0.5 + CONSTANT * array("colors", 3)
    assert np.allclose(constant, 0.5 + CONSTANT * splats.harmonics[:, 0], atol=atol)


def test_a_file_that_could_not_be_written_leaves_the_one_that_was_there(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "a.ply"
    write_splats(path, some())
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_splats(path, some(1))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
