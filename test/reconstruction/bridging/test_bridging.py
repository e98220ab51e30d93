# SPDX-License-Identifier: Apache-2.0
"""If these fail, a clip that makes things up decides how two photos stand to each other, or a good
pose of the photos alone is given up for a worse one."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.reconstruction.bridging.clips import Clip, clips_in
from dens3r_ros.reconstruction.bridging.consistency import Guesses, judged, pose_distance
from dens3r_ros.sources.opening import open_source
from dens3r_ros.sources.source import Source
from dens3r_ros.sources.video_writer import VideoWriter

WALK, ELSEWHERE = (f"procedural:walk?seed={seed}&frames=200&size=320x240" for seed in (3, 8))
FAR, NEAR = (60, 120), (0, 20)
"""Photos that alone give no pose, and some that give a good one."""


def bridge(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["bridge", *map(str, arguments)])


@pytest.fixture(scope="module")
def walk() -> Source:
    return open_source(WALK)


def write_photos(folder: Path, walk: Source, ends: tuple[int, int]) -> list[str]:
    for name, number in zip("ab", ends, strict=True):
        Image.fromarray(walk[number].image).save(folder / f"{name}.png")
    lens = walk[0].intrinsics
    assert lens is not None
    numbers = f"{lens.fx},{lens.fy},{lens.cx},{lens.cy}"
    return [str(folder / "a.png"), str(folder / "b.png"), "--intrinsics", numbers]


def melted(image: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """An image bent otherwise each time, as generators do that do not keep a scene."""
    noise = random.normal(0, 1, (*image.shape[:2], 2)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), 25)
    field *= 14 / np.abs(field).max()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return np.asarray(cv2.remap(image, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR))


def write_clips(folder: Path, walk: Source, ends: tuple[int, int], names: str) -> Path:
    """A good film, a folder that melts and one of another place, as far as they are named."""
    random, elsewhere = np.random.RandomState(0), open_source(ELSEWHERE)
    numbers = range(ends[0], ends[1] + 1, 5)
    if "good" in names:
        folder.mkdir(exist_ok=True)
        with VideoWriter(folder / "good.mp4", 10.0) as film:
            for number in numbers:
                film.add(walk[number], None)
        (folder / "good.camera.yaml").unlink()
    for name in {"melting", "elsewhere"} & set(names.split()):
        (folder / name).mkdir(parents=True)
        for n, number in enumerate(numbers):
            seen = melted(walk[number].image, random)
            image = elsewhere[number].image if name == "elsewhere" else seen
            Image.fromarray(image).save(folder / name / f"{n:03d}.png")
    return folder


def true_pose(walk: Source, ends: tuple[int, int]) -> np.ndarray:
    a, b = (walk.truth(number) for number in ends)
    assert a is not None and b is not None
    return np.asarray(np.linalg.inv(a.T_world_camera) @ b.T_world_camera)


def test_a_good_clip_joins_what_hardly_overlaps(walk: Source, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, which reads films, is not installed")
    photos = write_photos(tmp_path, walk, FAR)
    clips = write_clips(tmp_path / "clips", walk, FAR, "good melting elsewhere")
    ran = bridge(*photos, "--videos", clips, "--tries", 3, "--json", "-")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["better"] == "good.mp4" and told["direct"] is None
    assert "elsewhere" in told["without_pose"]
    best = told["clips"][0]
    assert pose_distance(np.array(best["T_a_b"]), true_pose(walk, FAR)) < 4
    assert best["found"] == best["tried"] == 3 and best["score"] < 4
    assert np.linalg.norm(np.array(best["T_a_b"])[:3, 3]) == pytest.approx(1)


def test_the_photos_alone_are_the_better_bet(walk: Source, tmp_path: Path) -> None:
    photos = write_photos(tmp_path, walk, NEAR)
    clips = write_clips(tmp_path / "clips", walk, NEAR, "melting elsewhere")
    ran = bridge(*photos, "--videos", clips, "--tries", 3, "--json", tmp_path / "found.json")
    assert ran.exit_code == 0, ran.output
    assert "the better bet is the direct pose" in ran.stdout and "orientation" in ran.stdout
    told = json.loads((tmp_path / "found.json").read_text())
    assert told["better"] == "direct"
    assert pose_distance(np.array(told["direct"]["T_a_b"]), true_pose(walk, NEAR)) < 3
    assert all(clip["score"] > told["direct"]["score"] for clip in told["clips"])


def test_a_generator_is_run_and_its_clips_are_kept(walk: Source, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, which reads films, is not installed")
    photos, kept = write_photos(tmp_path, walk, FAR), tmp_path / "kept"
    made = write_clips(tmp_path / "made", walk, FAR, "good")
    script = tmp_path / "make.py"
    script.write_text(
        "import pathlib, shutil, sys\n"
        "a, b, out = map(pathlib.Path, sys.argv[1:])\n"
        "if a.name == 'b.png': sys.exit('cannot go back')\n"
        f"shutil.copy({str(made / 'good.mp4')!r}, out / 'clip.mp4')\n"
    )
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{a}} {{b}} {{out}}"
    given = ("--generator", command, "--clips", 2, "--videos", kept, "--tries", 2)
    ran = bridge(*photos, *given)
    assert ran.exit_code == 0, ran.output
    assert "the better bet is by generated_0/clip.mp4" in ran.stdout
    assert "made no clip" in ran.stderr and "cannot go back" in ran.stderr
    (clip,) = clips_in(kept)
    assert clip.name == "generated_0/clip.mp4"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing lies between"),
        (("--videos", "{}"), "holds no clips"),
        (("--videos", "{}/gone"), "is no folder"),
        (("--generator", "make {{a}} {{b}}"), "needs {out}"),
        (("--generator", "no_such_program {{a}} {{b}} {{out}}"), "cannot be run"),
        (("--generator", "false {{a}} {{b}} {{out}}"), "ended with code 1"),
    ],
)
def test_mistakes_are_a_sentence(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    photo = tmp_path / "a.png"
    Image.new("RGB", (64, 48)).save(photo)
    ran = bridge(photo, photo, *(one.format(empty) for one in arguments))
    assert ran.exit_code == 2 and words in " ".join(ran.output.split()), ran.output
    assert "Traceback" not in ran.output


def pose(yaw: float) -> np.ndarray:
    T = np.eye(4)
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    T[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    T[0, 3] = 1.0
    return T


def test_a_clip_that_is_sure_of_something_else_loses() -> None:
    ways = [
        Guesses("sure and wrong", [pose(80), pose(80), pose(80)], 3),
        Guesses("first", [pose(20), pose(21), pose(22)], 3),
        Guesses("second", [pose(19), pose(21), pose(25)], 3),
        Guesses("seldom", [pose(21)], 3),
    ]
    found = judged(ways)
    assert [one.name for one in found] == ["first", "second", "sure and wrong", "seldom"]
    assert found[0].spread == pytest.approx(1) and found[0].bias < 2
    assert found[2].bias > 55 and found[3].spread == pytest.approx(180)
    assert judged([Guesses("nothing", [], 3)]) == []


def test_frames_of_a_clip_are_those_asked_for(walk: Source, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, which reads films, is not installed")
    with VideoWriter(tmp_path / "film.avi", 10.0) as film:
        for number in range(0, 24, 4):
            film.add(walk[number], None)
    clip = Clip(tmp_path / "film.avi", "film")
    found = clip.frames([1, 4, 99])
    assert len(clip) == 6 and sorted(found) == [1, 4]
    off = np.abs(found[4].image.astype(int) - walk[16].image).mean()
    assert off < 6 < np.abs(found[4].image.astype(int) - walk[4].image).mean()
