# SPDX-License-Identifier: Apache-2.0
"""If these fail, people cannot look at what they made, or measure another thing than they meant."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.viewer.picking import box_edges, inside, picked

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
    from dens3r_ros.viewer.content import read_content

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
