# SPDX-License-Identifier: Apache-2.0
"""The page is the first thing that people open; without it they read logs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dens3r_ros.reconstruction.report.pictures import ABOVE, TRACK, draw


def test_the_page_tells_what_happened_and_needs_nothing_beside_it(made: Any) -> None:
    page = (made.out / "report.html").read_text()
    for words in ("24 mapped", "24 of 24", "metres", "cloud.ply", "mesh.glb", "opencv", "refining"):
        assert words in page, words
    assert not re.search(r"""(src|href)=["'](?!data:)""", page), "all pictures are in the page"
    assert "http://" not in page and "https://" not in page
    assert page.count("data:image/jpeg") == 2 + 3 * 4
    assert len(page) < 8_000_000


def test_the_page_in_chromium(made: Any, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")
    picture = tmp_path / "page.png"
    common = [chromium, "--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}"]
    address = (made.out / "report.html").as_uri()
    command = [*common, "--window-size=1040,2600", f"--screenshot={picture}", address]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    shown = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert (np.abs(shown - (16, 20, 26)).sum(-1) > 60).mean() > 0.15, "mostly empty"
    command = [*common, "--dump-dom", address]
    told = subprocess.run(command, capture_output=True, timeout=120, check=True, text=True).stdout
    assert re.search(r'<canvas[^>]*data-drawn="\d', told), "the cloud is drawn by the script"


def test_a_ceiling_does_not_hide_the_room_and_the_way_is_on_top() -> None:
    x, y = np.meshgrid(np.linspace(0, 4, 200), np.linspace(0, 3, 150))
    floor = np.stack((x.ravel(), y.ravel(), np.zeros(x.size)), 1)
    ceiling = floor + np.array([0, 0, 2.6])
    colours = np.repeat(np.array([[0, 200, 0], [200, 0, 200]], np.uint8), len(floor), 0)
    way = np.array([[0.5, 0.5, 1.5], [3.5, 2.5, 1.5]])
    picture = draw(np.concatenate((floor, ceiling)), colours, way, ABOVE)
    green, purple = ((picture == shade).all(-1).mean() for shade in ((0, 200, 0), (200, 0, 200)))
    assert green > 0.3 and purple == 0
    assert (picture == TRACK).all(-1).any()
