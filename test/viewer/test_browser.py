# SPDX-License-Identifier: Apache-2.0
"""If these fail, people cannot look at what they made, or measure another thing than they meant."""

from __future__ import annotations

import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.splats.files import write_splats
from dens3r_ros.splats.splats import Splats, no_splats
from dens3r_ros.viewer.content import constant_colours, read_content
from dens3r_ros.viewer.picking import box_edges, inside, picked
from dens3r_ros.viewer.splat_layer import add_splats, covariances, most_visible

CONFIG = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.8)
)


@pytest.fixture(scope="module")
def saved(walk: Any, tmp_path_factory: Any) -> Path:
    """A map of eight frames."""
    path = tmp_path_factory.mktemp("maps") / "room.map"
    with Mapper(OracleEngine(walk, long_side=160, metric=True), CONFIG) as mapper:
        for index in range(8):
            mapper.step(walk[index])
        mapper.save(path)
    return path


def test_the_point_that_is_meant_is_the_nearest_on_the_ray() -> None:
    points = np.array([[0, 0, 5.0], [0.01, 0, 2.0], [0, 0.005, 2.01], [3, 0, 1.0], [0, 0, -1.0]])
    origin, forward = np.zeros(3), np.array([0, 0, 2.0])
    assert picked(points, origin, forward) == 2
    assert picked(points, origin, np.array([0, 1.0, 0])) is None
    assert picked(np.zeros((0, 3)), origin, forward) is None


def test_a_box() -> None:
    low, high = np.zeros(3), np.array([1.0, 2.0, 3.0])
    edges = box_edges(low, high)
    assert edges.shape == (12, 2, 3)
    lengths = sorted(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1))
    assert np.allclose(lengths, [1] * 4 + [2] * 4 + [3] * 4)
    assert inside(np.array([[0.5, 1, 1], [0.5, 2.1, 1]]), low, high).tolist() == [True, False]


def test_a_map_in_the_browser(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs viser")
    from dens3r_ros.viewer.browser import Browser

    content = read_content(saved)
    assert len(content.points) > 500 and len(content.keyframes) >= 2 and content.metric
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    browser = Browser(content, port=port)
    try:
        near, far = content.points[0].astype(float), content.points[-1].astype(float)
        browser.mark(near + np.array([0, 0, 1.0]), np.array([0, 0, -1.0]))
        whole = content.points[:, 2].max()
        kept = browser.cut(content.points.min(0), np.array([*content.points.max(0)[:2], whole - 1]))
        assert 0 < kept < len(content.points)
        browser.cut(browser._low, browser._high)
        assert np.linalg.norm(far - near) > 0
        picture = screenshot(browser.address, tmp_path / "page.png")
        if picture is not None:
            assert np.asarray(picture.convert("L")).std() > 10, "the page shows something"
    finally:
        browser.close()


def turned_splats(count: int = 40) -> Splats:
    """Flat ones of many turns, colours and opacities."""
    random = np.random.default_rng(3)
    turns = random.normal(size=(count, 4))
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    parts = (
        random.uniform(-1, 1, (count, 3)),
        np.log(random.uniform(0.001, 0.2, (count, 3))),
        turns,
        random.uniform(0.1, 1, count),
        random.uniform(-1.5, 1.5, (count, 1, 3)),
    )
    return Splats(*(part.astype(np.float32) for part in parts), metric=True)


@pytest.mark.parametrize("suffix", [".ply", ".splat"])
def test_a_file_without_splats_is_said(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none{suffix}"
    write_splats(path, no_splats())
    with pytest.raises(ValueError, match="holds no splats"):
        read_content(path)


def test_covariances_are_those_of_the_splats_own_axes() -> None:
    splats = turned_splats()
    found = covariances(splats.rotations, splats.log_scales)
    for n, (x, y, z, w) in enumerate(splats.rotations):
        R = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        wanted = R @ np.diag(np.exp(2 * splats.log_scales[n])) @ R.T
        assert np.allclose(found[n], wanted, atol=1e-6)


def test_of_too_many_splats_the_most_visible_are_shown() -> None:
    splats = turned_splats()
    scales = np.exp(splats.log_scales)
    faces = scales.prod(1) / scales.min(1) * splats.opacities
    assert set(most_visible(splats, 10)) == set(np.argsort(-faces)[:10])
    assert most_visible(splats, 40).tolist() == list(range(40))


@pytest.mark.parametrize("suffix", [".ply", ".splat", ".spz"])
def test_a_file_of_splats_in_the_browser(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs viser")
    if suffix == ".spz":
        pytest.importorskip("gaussforge", reason="needs gaussforge")
    from dens3r_ros.viewer.browser import Browser

    splats = turned_splats()
    write_splats(tmp_path / f"few{suffix}", splats)
    content = read_content(tmp_path / f"few{suffix}")
    browser = Browser(content, port=0)
    try:
        shown = browser._splats
        assert shown.visible and not browser._cloud.visible
        assert len(content.keyframes) == 0 and len(content.points) == len(splats)
        words = shown.buffer
        centres = words[:, :3].copy().view(np.float32) * shown.scale
        away, number = cKDTree(splats.means).query(centres)
        assert away.max() < 0.01 and len(set(number)) == len(splats)
        kept = words[:, 4:7].copy().view(np.float16).astype(float) * shown.scale**2
        wanted = covariances(splats.rotations, splats.log_scales)[number]
        rows, columns = np.triu_indices(3)
        off = np.abs(kept - wanted[:, rows, columns]).max(1) / wanted.max((1, 2))
        assert off.max() < 0.08, "a file of splats keeps logarithms in steps of 1/16"
        rgba = words[:, 7:].copy().view(np.uint8) / 255
        assert np.abs(rgba[:, :3] - constant_colours(splats)[number]).max() < 0.05
        assert np.abs(rgba[:, 3] - splats.opacities[number]).max() < 0.02
        picture = screenshot(browser.address, tmp_path / "page.png") if suffix == ".ply" else None
        if picture is not None:
            assert np.asarray(picture.convert("L"))[:, :500].std() > 5, "the page shows something"
    finally:
        browser.close()


def test_small_splats_are_not_lost_to_half_precision() -> None:
    splats = turned_splats()
    tiny = replace(splats, log_scales=splats.log_scales + np.float32(np.log(1e-4)))
    given: dict[str, Any] = {}
    add_splats(SimpleNamespace(add_gaussian_splats=lambda _, **all: given.update(all)), tiny, True)
    kept = given["covariances"].astype(np.float16).astype(float) * given["scale"] ** 2
    wanted = covariances(tiny.rotations, tiny.log_scales)
    assert np.abs(kept - wanted).max((1, 2)).max() < 0.01 * wanted.max()
    assert np.allclose(given["centers"] * given["scale"], tiny.means, atol=1e-5)


def screenshot(address: str, path: Path) -> Image.Image | None:
    """What headless Chromium shows of a page; None where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    command = [chromium, "--headless", "--no-sandbox", "--use-angle=swiftshader"]
    command += ["--enable-unsafe-swiftshader", "--window-size=900,600", f"--screenshot={path}"]
    command += ["--virtual-time-budget=8000", f"--user-data-dir={path.parent / 'profile'}", address]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return Image.open(path)


def test_a_run_in_a_rerun_file(walk: Any, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="needs rerun")
    from dens3r_ros.viewer.rerun_stream import open_stream

    stream = open_stream(str(tmp_path / "run.rrd"))
    with Mapper(OracleEngine(walk, long_side=160, metric=True), CONFIG) as mapper:
        for index in range(6):
            frame = walk[index]
            stream(frame, mapper.step(frame), mapper)
    stream.close()
    told = (tmp_path / "run.rrd").read_bytes()
    assert told[:3] == b"RRF" and len(told) > 50_000
    for path in (b"camera/image", b"camera/depth", b"camera/normals", b"map/way", b"milliseconds"):
        assert path in told, path


def test_a_viewer_that_is_none() -> None:
    from dens3r_ros.viewer.rerun_stream import open_stream

    with pytest.raises(ValueError, match=r"neither rerun nor a file that ends in \.rrd"):
        open_stream("window")
