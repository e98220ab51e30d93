# SPDX-License-Identifier: Apache-2.0
"""What the images' compression on the way to a server changes in the maps that come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.preprocess import Sizing, prepare
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.engines.remote.pictures import compress, decompress
from dens3r_ros.frame import Frame
from dens3r_ros.network.prediction import PairPrediction

FORMATS = (("png", 0), ("jpeg", 95), ("jpeg", 90), ("jpeg", 75), ("jpeg", 50), ("webp", 90))
_WORST = 95


def bench_pictures(
    engine: Engine,
    sizing: Sizing,
    pairs: Sequence[tuple[Frame, Frame]],
    tell: Callable[[str], None],
) -> dict[str, object]:
    """For each format: kilobytes an image, and by how much the points of a move (percent of their
    distance, median and worst twentieth), as medians over the pairs."""
    sized = [(_at_size(a, sizing), _at_size(b, sizing)) for a, b in pairs]
    expected = [_decoded(engine, pair) for pair in sized]
    figures: dict[str, object] = {"pairs": len(pairs)}
    for kind, quality in FORMATS:
        name = f"{kind}_{quality}" if quality else kind
        tell(name)
        sent = [(_sent(a, kind, quality), _sent(b, kind, quality)) for a, b in sized]
        size = np.mean([bytes_ for pair in sent for _, bytes_ in pair])
        changes = np.array(
            [
                _change(_decoded(engine, (a, b)), one)
                for ((a, _), (b, _)), one in zip(sent, expected, strict=True)
            ]
        )
        figures[f"{name}_kb"] = float(size) / 1e3
        figures[f"{name}_points_percent"] = float(np.median(changes[:, 0]))
        figures[f"{name}_points_worst_percent"] = float(np.median(changes[:, 1]))
    return figures


def _at_size(frame: Frame, sizing: Sizing) -> Frame:
    """As the network sees it, so that compression is the only difference."""
    prepared = prepare(frame, sizing)
    return Frame(prepared.pixels, frame.stamp)


def _sent(frame: Frame, kind: str, quality: int) -> tuple[Frame, int]:
    data = compress(frame.image, kind, quality)
    return replace(frame, image=decompress(data, frame.image.shape[:2])), len(data)


def _decoded(engine: Engine, pair: tuple[Frame, Frame]) -> PairPrediction:
    a, b = engine.encode(list(pair))
    return engine.decode([(a, b)], Outputs("ab", "a", ""))


def _change(found: PairPrediction, expected: PairPrediction) -> tuple[float, float]:
    """Percent of the distance by which points of a differ: median, and the worst twentieth."""
    wanted = np.asarray(expected.points_a, np.float64).reshape(-1, 3)
    moved = np.linalg.norm(np.asarray(found.points_a, np.float64).reshape(-1, 3) - wanted, axis=1)
    relative = moved / np.maximum(np.linalg.norm(wanted, axis=1), 1e-9)
    return 100 * float(np.median(relative)), 100 * float(np.percentile(relative, _WORST))
