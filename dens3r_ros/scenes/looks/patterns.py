# SPDX-License-Identifier: Apache-2.0
"""Seamless texture tiles, drawn once: noise and regular patterns.

A tile is (S, S, 3) in [0, 1]: how much of the second colour, how much of the third, and the tone
that multiplies both (0.5 leaves them as they are). `draw` tiles print glyphs, posters and shelves.
"""

from __future__ import annotations

import numpy as np

SIZE = 256
Random = np.random.RandomState


def value_noise(random: Random, cells_x: int, cells_y: int) -> np.ndarray:
    """(S, S) smooth periodic noise in [0, 1] of cells_x by cells_y random values."""
    lattice = random.rand(cells_y, cells_x)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    x, y = x * cells_x, y * cells_y
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = (t * t * (3 - 2 * t) for t in (x - x0, y - y0))
    x1, y1 = (x0 + 1) % cells_x, (y0 + 1) % cells_y
    top = lattice[y0, x0] * (1 - fx) + lattice[y0, x1] * fx
    bottom = lattice[y1, x0] * (1 - fx) + lattice[y1, x1] * fx
    return top * (1 - fy) + bottom * fy


def layered(
    random: Random, cells: int, octaves: int, gain: float = 0.5, stretch: int = 1
) -> np.ndarray:
    """(S, S) value noise summed over octaves, spread over [0, 1]."""
    total = np.zeros((SIZE, SIZE))
    for octave in range(octaves):
        n = min(cells << octave, SIZE)
        total += gain**octave * value_noise(random, n, min(n * stretch, SIZE))
    low, high = np.percentile(total, (1, 99))
    return np.clip((total - low) / (high - low), 0, 1)


def cells(random: Random, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances to the nearest and second nearest of `count` points, and the nearest's number."""
    points = random.rand(count, 2)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    distance = np.empty((count, SIZE, SIZE), np.float32)
    for i, (px, py) in enumerate(points):
        dx, dy = np.abs(x - px), np.abs(y - py)
        distance[i] = np.hypot(np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy))
    nearest = distance.argmin(0)
    first, second = np.partition(distance, 1, axis=0)[:2]
    return first, second, nearest


def stacked(second: np.ndarray, third: np.ndarray | float, tone: np.ndarray | float) -> np.ndarray:
    """A tile of its three channels."""
    return np.stack(np.broadcast_arrays(second, third, tone), -1).astype(np.float32)


def fractal(random: Random) -> np.ndarray:
    """Cloudy blotches."""
    rough = layered(random, 3, 6, random.uniform(0.45, 0.75))
    return stacked(rough, layered(random, 4, 3) > 0.8, 0.3 + 0.4 * layered(random, 16, 4, 0.8))


def grain(random: Random) -> np.ndarray:
    """Fine grains: carpet, plaster, sand, asphalt."""
    fine = layered(random, int(random.choice([32, 64])), 3, 0.9)
    return stacked(layered(random, 4, 4), fine > 0.9, 0.15 + 0.7 * fine)


def marble(random: Random) -> np.ndarray:
    """Veins."""
    veins = np.abs(layered(random, 3, 6, 0.55) - 0.5) * 2
    other = np.abs(layered(random, 5, 5, 0.55) - 0.5) * 2
    return stacked(1 - veins**0.4, other < 0.04, 0.35 + 0.3 * layered(random, 8, 4))


def stones(random: Random) -> np.ndarray:
    """Stones of many tones with joints."""
    first, second, nearest = cells(random, int(random.choice([20, 45, 90])))
    joint = np.clip(1 - (second - first) * SIZE / random.uniform(3, 8), 0, 1)
    tones = random.rand(nearest.max() + 1)
    return stacked(
        tones[nearest], joint, 0.25 + 0.35 * tones[nearest] + 0.25 * layered(random, 16, 4)
    )


def speckle(random: Random) -> np.ndarray:
    """Terrazzo: sparse chips in a plain ground."""
    first, _, nearest = cells(random, int(random.choice([60, 120])))
    size = random.rand(nearest.max() + 1)[nearest] * 0.05
    chip = first < size
    colours = random.rand(nearest.max() + 1)[nearest]
    return stacked(
        chip * (colours > 0.5), chip * (colours <= 0.5), 0.4 + 0.2 * layered(random, 32, 3)
    )


def bricks(random: Random) -> np.ndarray:
    """Bricks in courses, each with a tone of its own."""
    rows = int(random.choice([8, 12, 16]))
    columns = rows // 2 if rows != 12 else 4
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    row = (y * rows).astype(int)
    shift = random.choice([0.5, 0.33]) * (row % 2)
    u, v = (x * columns + shift) % columns, y * rows - row
    tones = random.rand(rows, columns + 1)[row, u.astype(int)]
    edge_x = np.minimum(u % 1, 1 - u % 1) / columns
    edge_y = np.minimum(v, 1 - v) / rows
    joint = np.minimum(edge_x, edge_y) < random.uniform(0.004, 0.009)
    return stacked(tones, joint, 0.2 + 0.3 * tones + 0.3 * layered(random, 32, 4, 0.8))


def tiles(random: Random) -> np.ndarray:
    """Square tiles with joints, plain, chequered or at random."""
    n = int(random.choice([2, 4, 6, 8]))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE * n
    i, j = y.astype(int), x.astype(int)
    style = random.randint(3)
    choice = random.rand(n, n)
    second = [np.zeros((n, n)), (np.indices((n, n)).sum(0) % 2).astype(float), choice][style]
    edge = np.minimum(np.minimum(x % 1, 1 - x % 1), np.minimum(y % 1, 1 - y % 1)) / n
    tone = 0.38 + 0.2 * random.rand(n, n)[i, j] + 0.15 * layered(random, 8, 5)
    return stacked(second[i, j], edge < random.uniform(0.003, 0.01), tone)


def planks(random: Random) -> np.ndarray:
    """Boards along x, cut at random places, with grain."""
    rows = int(random.choice([4, 6, 10]))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    row = (y * rows).astype(int)
    v = y * rows - row
    u = (x + random.rand(rows)[row]) * 2
    board = random.rand(rows, 2)[row, u.astype(int) % 2]
    edge = np.minimum(np.minimum(v, 1 - v) / rows, np.minimum(u % 1, 1 - u % 1) / 2)
    fibres = layered(random, 4, 4, 0.7, stretch=16)
    return stacked(fibres, edge < 0.004, 0.25 + 0.35 * board + 0.25 * fibres)


def wood(random: Random) -> np.ndarray:
    """Growth rings along x."""
    bend = layered(random, 2, 3, 0.4, stretch=2)
    y = np.mgrid[0:SIZE, 0:SIZE][0] / SIZE
    rings = (np.sin(2 * np.pi * (random.randint(5, 14) * y + 2.5 * bend)) + 1) / 2
    return stacked(rings, 0.0, 0.35 + 0.3 * layered(random, 4, 4, 0.7, stretch=16))


def stripes(random: Random) -> np.ndarray:
    """Stripes of three colours."""
    n = int(random.choice([4, 8, 12]))
    x = np.mgrid[0:SIZE, 0:SIZE][1] * n // SIZE
    kind = random.randint(0, 3, n)
    kind[:2] = (0, 1)
    return stacked(kind[x] == 1, kind[x] == 2, 0.42 + 0.16 * layered(random, 32, 3))


def plaid(random: Random) -> np.ndarray:
    """Woven stripes both ways."""
    n = 12
    bands = random.rand(n)
    y, x = np.mgrid[0:SIZE, 0:SIZE] * n // SIZE
    weave = 0.5 * (bands[x] + bands[y])
    return stacked(weave, (bands[x] > 0.85) | (bands[y] > 0.85), 0.4 + 0.2 * layered(random, 64, 2))


def dots(random: Random) -> np.ndarray:
    """A regular motif: discs, rings or diamonds."""
    n = int(random.choice([4, 6, 10]))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE * n
    x = x + 0.5 * (y.astype(int) % 2)
    dx, dy = x % 1 - 0.5, y % 1 - 0.5
    radius = np.abs(dx) + np.abs(dy) if random.rand() < 0.4 else np.hypot(dx, dy)
    inner, outer = random.uniform(0.05, 0.2), random.uniform(0.25, 0.42)
    return stacked(radius < outer, radius < inner, 0.42 + 0.16 * layered(random, 16, 3))


def corrugated(random: Random) -> np.ndarray:
    """Ribs across x: shutters, sheet metal, radiators."""
    n = int(random.choice([8, 16, 24]))
    x = np.mgrid[0:SIZE, 0:SIZE][1] / SIZE * n % 1
    ribs = 0.5 + 0.5 * np.sin(2 * np.pi * x)
    rust = np.clip(layered(random, 4, 5, 0.6) * 3 - 2, 0, 1)
    return stacked(rust, x < 0.08, 0.15 + 0.6 * ribs)


def shingles(random: Random) -> np.ndarray:
    """Overlapping roof tiles."""
    rows = int(random.choice([8, 12]))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE * rows
    row = y.astype(int)
    x = (x + 0.5 * (row % 2)) % rows
    tones = random.rand(rows, rows)[row, x.astype(int)]
    shade = (y - row) ** 0.5
    gap = np.minimum(x % 1, 1 - x % 1) < 0.06
    return stacked(tones, gap, 0.15 + 0.3 * shade + 0.25 * tones)


def herringbone(random: Random) -> np.ndarray:
    """Parquet blocks of alternating direction."""
    n = int(random.choice([4, 6]))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE * n
    i, j = y.astype(int), x.astype(int)
    across = (i + j) % 2 == 0
    strip = np.where(across, y % 1, x % 1) * 4
    tones = random.rand(n, n, 4)[i, j, strip.astype(int)]
    gap = np.minimum(strip % 1, 1 - strip % 1) < 0.08
    return stacked(tones, gap, 0.25 + 0.35 * tones + 0.2 * layered(random, 32, 3))
