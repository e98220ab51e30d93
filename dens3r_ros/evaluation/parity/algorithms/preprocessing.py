# SPDX-License-Identifier: Apache-2.0
"""Images as networks of the DUSt3R family are given them (`preproc.npz`)."""

from __future__ import annotations

from collections.abc import Iterator

from dens3r_ros.engines.preprocess import Sizing, place, resample
from dens3r_ros.evaluation.parity.comparison import Comparison, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture

NAME = "preprocessing"


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds images before and after, and how they were resized."""
    cases = fixture.config.get("cases")
    return "0/in_u8" in fixture.names and isinstance(cases, list) and "square_ok" in cases[0]


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """The share of pixels that are not the same, bit by bit."""
    for number, case in enumerate(fixture.config["cases"]):
        # 224 is the published code's word for square crops.
        sizing = Sizing(
            long_side=case["size"], square=case["size"] == 224, square_ok=case["square_ok"]
        )
        image = fixture.array(f"{number}/in_u8")
        placement = place(image.shape[:2], sizing)
        name = f"{case['w']}x{case['h']} to {case['size']}"
        yield share_differing(name, "true_shape", placement.size, case["true_shape"])
        pixels = resample(image, placement, exact=True)
        yield share_differing(name, "out_u8", pixels, fixture.array(f"{number}/out_u8"))
