# SPDX-License-Identifier: Apache-2.0
"""What phones and cameras write: turned, cut off, of mixed sizes, with the lens in the file."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dens3r_ros.frame import Frame
from dens3r_ros.sources.inputs import Unreadable, open_input, open_inputs
from dens3r_ros.sources.inputs.lens import with_lens
from dens3r_ros.sources.source import SourceError


class Everything:
    """Wants all images."""

    over = False

    def by_index(self, index: int) -> bool:
        return True

    def by_stamp(self, stamp: int) -> bool:
        return True


def read(given: Any) -> list[Frame]:
    return [one for _, one in given.frames(Everything()) if isinstance(one, Frame)]


def left_out(given: Any) -> list[str]:
    return [one.reason for _, one in given.frames(Everything()) if isinstance(one, Unreadable)]


def photo(path: Path, size: tuple[int, int] = (64, 48), mode: str = "RGB", **exif: Any) -> None:
    tags = Image.Exif()
    for name, value in exif.items():
        if name == "orientation":
            tags[0x0112] = value
        else:
            tags.get_ifd(0x8769)[{"equivalent": 0xA405}[name]] = value
    Image.new(mode, size, 100 if mode in ("L", "I;16") else (100,) * len(mode)).save(
        path, exif=tags
    )


def film(path: Path, stamps: list[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A video of grey pictures, each a shade brighter, at stamps in milliseconds."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, stamp in enumerate(stamps):
            pixels = np.full((size[1], size[0], 3), 20 * (number % 10) + 20, np.uint8)
            pixels[:8] = 255
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def test_the_lens_is_read_from_the_file(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", equivalent=26)
    given = open_input(str(tmp_path))
    lens = read(given)[0].intrinsics
    assert lens is not None and given.rough_lens
    assert lens.fx == pytest.approx(26 / 43.267 * 80, rel=1e-3)


def test_a_portrait_photo_stands_upright_with_its_lens(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", orientation=6, equivalent=26)
    frame = read(open_input(str(tmp_path)))[0]
    assert frame.size == (64, 48)
    assert frame.intrinsics is not None and frame.intrinsics.height == 64


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_grey_transparent_and_deep_images(mode: str, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", mode=mode)
    image = read(open_input(str(tmp_path)))[0].image
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8


def test_most_images_decide_on_the_size(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photo(tmp_path / f"{name}.png")
    photo(tmp_path / "d.png", size=(128, 96))
    photo(tmp_path / "e.png", size=(48, 64))
    given = open_input(str(tmp_path))
    assert {frame.size for frame in read(given)} == {(48, 64)} and len(read(given)) == 4
    assert "d.png" in given.notes[0]
    (why,) = left_out(given)
    assert "e.png is 48x64, most images are 64x48" in why


def test_a_damaged_image_costs_no_more_than_itself(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photo(tmp_path / f"{name}.jpg", size=(256, 192))
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.jpg").write_bytes(b"")
    given = open_input(str(tmp_path))
    assert len(read(given)) == 1
    assert ["b.jpg" in left_out(given)[0], "c.jpg" in left_out(given)[1]] == [True, True]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "is empty"),
        ("missing", "does not exist"),
        ("notes.txt", "neither a video nor a bag"),
        ("99", "camera 99 cannot be opened"),
    ],
)
def test_what_is_no_input_is_told_in_a_sentence(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match=words):
        open_input(name if name == "99" else str(tmp_path / name))


def test_single_images_are_one_input(tmp_path: Path) -> None:
    for name in ("b", "a"):
        photo(tmp_path / f"{name}.png")
    (given,) = open_inputs([str(tmp_path / "b.png"), str(tmp_path / "a.png")])
    assert given.total == 2
    with pytest.raises(SourceError, match="no such file"):
        open_inputs([str(tmp_path / "b.png"), str(tmp_path / "z.png")])


def test_a_film_of_varying_rate_keeps_its_stamps(tmp_path: Path) -> None:
    stamps = [0, 33, 70, 400, 433]
    frames = read(open_input(str(film(tmp_path / "a.mp4", stamps))))
    assert [round(frame.stamp / 1e6) for frame in frames] == stamps
    shades = [int(frame.image[24:, :, 0].mean()) for frame in frames]
    assert np.allclose(shades, [20, 40, 60, 80, 100], atol=4)


def test_a_film_taken_upright_is_upright(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [0, 33])
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    one = 0x10000
    quarter = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 0x40000000)
    content[at : at + 36] = quarter
    path.write_bytes(bytes(content))
    given = open_input(str(path))
    frame = read(given)[0]
    assert frame.size == (64, 48)
    assert "turned" in given.notes[0]
    # The matrix turns the picture clockwise: what was on top is on the right.
    assert frame.image[32, -4:].mean() > 230 and frame.image[32, :40].mean() < 60


def test_a_film_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", list(range(0, 600, 33)), size=(320, 240))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.7 * len(whole))])
    frames = read(open_input(str(path)))
    assert 2 <= len(frames) < 19


def test_a_file_that_only_claims_to_be_a_film(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"no film at all")
    with pytest.raises(SourceError, match="no video that FFmpeg can read"):
        open_input(str(tmp_path / "a.mp4"))


def test_a_lens_that_is_given(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    folder = str(tmp_path)
    lens = read(with_lens(open_input(folder), "60,61,31.5,23.5"))[0].intrinsics
    assert lens is not None and (lens.fx, lens.fy, lens.width) == (60, 61, 64)
    told = tmp_path / "lens.yaml"
    told.write_text(
        "image_width: 128\nimage_height: 96\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [120, 0, 63.5, 0, 120, 47.5, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}\n"
    )
    frame = read(with_lens(open_input(folder), str(told)))[0]
    assert frame.intrinsics is not None and frame.intrinsics.fx == pytest.approx(60)
    off = np.abs(frame.image.astype(int) - noise).mean(-1)
    assert off[:4, :4].mean() > 20 and off[23, 31] < off[:4, :4].mean(), "corners are undistorted"
    for wrong, words in (("1,2,3", "neither"), ("0,1,2,3", "greater than zero")):
        with pytest.raises(SourceError, match=words):
            with_lens(open_input(folder), wrong)
    told.write_text("fx: 3\n")
    with pytest.raises(SourceError, match="is no calibration"):
        with_lens(open_input(folder), str(told))


def test_nothing_is_read_beyond_the_end(tmp_path: Path) -> None:
    from dens3r_ros.reconstruction.pipeline.options import Picks
    from dens3r_ros.reconstruction.pipeline.taking import Picker

    path = film(tmp_path / "a.mp4", list(range(0, 900, 100)))
    taken = [i for i, _ in open_input(str(path)).frames(Picker(Picks(end=0.35)))]
    assert taken == [0, 1, 2, 3]
