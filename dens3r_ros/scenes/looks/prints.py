# SPDX-License-Identifier: Apache-2.0
"""Texture tiles that show things: writing, signs, posters, book shelves, facades, doors."""

from __future__ import annotations

import numpy as np

from dens3r_ros.scenes.looks.patterns import SIZE, Random, layered, stacked


def _canvas() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))


def _tone(random: Random) -> np.ndarray:
    return 0.42 + 0.16 * layered(random, 16, 4)


def _glyph(random: Random, height: int, width: int) -> np.ndarray:
    """(height, width) bool: strokes between the points of a 3 x 2 grid, like a letter."""
    mark = np.zeros((height, width), bool)
    stroke = max(1, height // 6)
    ys, xs = (0, (height - stroke) // 2, height - stroke), (0, width - stroke)
    for x in xs:
        for top, bottom in ((ys[0], ys[1]), (ys[1], ys[2])):
            if random.rand() < 0.6:
                mark[top : bottom + stroke, x : x + stroke] = True
    for y in ys:
        if random.rand() < 0.55:
            mark[y : y + stroke, :] = True
    return mark


def _write(page: np.ndarray, random: Random, top: int, height: int, left: int, right: int) -> None:
    """One line of words of random glyphs."""
    width, x = max(2, int(height * 0.6)), left
    while x + width <= right:
        if random.rand() < 0.82:
            page[top : top + height, x : x + width] = _glyph(random, height, width)
        x += int(width * 1.4) + 1


def text(random: Random) -> np.ndarray:
    """A page of writing."""
    ink, accent = _canvas()
    height, y = int(random.choice([5, 8, 12])), 14
    _write(accent, random, y, 22, 14, SIZE - 14)
    y += 38
    while y + height < SIZE - 12:
        right = SIZE - 14 if random.rand() < 0.8 else random.randint(60, SIZE - 20)
        _write(ink, random, y, height, 14, right)
        y += int(height * 1.8)
    return stacked(ink, accent, _tone(random))


def sign(random: Random) -> np.ndarray:
    """A few big glyphs in a frame."""
    ink, accent = _canvas()
    accent[:10], accent[-10:], accent[:, :10], accent[:, -10:] = 1, 1, 1, 1
    rows = random.randint(1, 4)
    height = (SIZE - 50) // rows - 14
    for row in range(rows):
        _write(ink, random, 28 + row * (height + 14), height, 26, SIZE - 26)
    return stacked(ink, accent, _tone(random))


def poster(random: Random) -> np.ndarray:
    """Random discs, bars and bands with a caption: prints, paintings, packaging."""
    ink, accent = _canvas()
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    for _ in range(random.randint(6, 18)):
        cx, cy = random.randint(0, SIZE, 2)
        size, flat = random.uniform(8, 80), random.uniform(0.3, 1.0)
        angle = random.uniform(0, np.pi)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = ((y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)) / flat
        round_shape = random.rand() < 0.5
        inside = np.hypot(u, v) < size if round_shape else np.maximum(abs(u), abs(v)) < size
        (ink if random.rand() < 0.5 else accent)[inside] = random.rand()
    if random.rand() < 0.6:
        band = random.randint(150, 215)
        ink[band : band + 30], accent[band : band + 30] = 0, 0
        _write(accent, random, band + 5, 20, 12, SIZE - 12)
    return stacked(ink, accent, 0.25 + 0.5 * layered(random, 3, 6, 0.6))


def picture(random: Random) -> np.ndarray:
    """A landscape of layers, as on photographs, with a frame."""
    ink, accent = _canvas()
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    ink[:] = y / SIZE * 0.6
    for layer in range(random.randint(2, 5)):
        ridge = SIZE * (0.35 + 0.13 * layer) + 60 * (layered(random, 2 + layer, 4)[layer] - 0.5)
        below = y > ridge[None]
        ink[below], accent[below] = random.rand(), random.rand()
    frame = np.minimum(np.minimum(x, SIZE - 1 - x), np.minimum(y, SIZE - 1 - y)) < 12
    ink[frame], accent[frame] = 1.0, 1.0
    return stacked(ink, accent, 0.25 + 0.5 * layered(random, 8, 5, 0.7))


def shelves(random: Random) -> np.ndarray:
    """Rows of books or boxes."""
    ink, accent = _canvas()
    tone = np.full((SIZE, SIZE), 0.12)
    rows = random.randint(3, 6)
    pitch = SIZE // rows
    for row in range(rows):
        x, base = 4, (row + 1) * pitch - 8
        while x < SIZE - 6:
            width = min(random.randint(5, 22), SIZE - 4 - x)
            height = int((pitch - 14) * random.uniform(0.6, 1.0))
            spine = np.s_[base - height : base, x : x + width - 1]
            ink[spine], accent[spine], tone[spine] = (
                random.rand(),
                random.rand() ** 2,
                random.uniform(0.3, 0.8),
            )
            if random.rand() < 0.5:
                label = base - int(height * random.uniform(0.3, 0.9))
                tone[label : label + 5, x : x + width - 1] = 0.95
            x += width if random.rand() < 0.9 else width + 14
        tone[base : base + 8] = 0.5
    return stacked(ink, accent, tone)


def facade(random: Random) -> np.ndarray:
    """Windows in rows on a wall, some lit, some with a balcony."""
    rows, columns = random.randint(2, 5), random.randint(2, 5)
    ink, accent = _canvas()
    tone = 0.4 + 0.2 * layered(random, 16, 4)
    h, w = SIZE // rows, SIZE // columns
    top, left = int(h * random.uniform(0.15, 0.3)), int(w * random.uniform(0.15, 0.3))
    for row in range(rows):
        for column in range(columns):
            y, x = row * h + top, column * w + left
            bottom, right = (row + 1) * h - top // 2, (column + 1) * w - left
            accent[y - 4 : bottom + 4, x - 4 : right + 4] = 1.0
            tone[y:bottom, x:right] = random.uniform(0.02, 0.35)
            ink[y:bottom, x:right] = random.rand()
            middle = (x + right) // 2
            tone[y:bottom, middle - 2 : middle + 2] = 0.7
    return stacked(ink, accent, tone)


def panels(random: Random) -> np.ndarray:
    """A door or a cupboard: framed panels and a handle."""
    ink, accent = _canvas()
    tone = 0.4 + 0.2 * layered(random, 3, 4, 0.7, stretch=16)
    rows, columns = random.randint(1, 4), random.randint(1, 3)
    h, w = SIZE // rows, SIZE // columns
    for row in range(rows):
        for column in range(columns):
            y, x = row * h + 18, column * w + 18
            ink[y : (row + 1) * h - 18, x : (column + 1) * w - 18] = 1.0
            tone[y - 3 : y + 3, x : (column + 1) * w - 18] = 0.1
            tone[y : (row + 1) * h - 18, x - 3 : x + 3] = 0.15
            accent[y + h // 3 : y + h // 3 + 12, x + 8 : x + 20] = 1.0
    return stacked(ink, accent, tone)
