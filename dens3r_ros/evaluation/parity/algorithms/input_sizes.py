# SPDX-License-Identifier: Apache-2.0
"""Images as Depth Anything 3 and VGGT are given them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dens3r_ros.evaluation.parity.comparison import Comparison, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.network.parts.input_sizes import (
    cut_to_smallest,
    fit_depth_anything,
    fit_vggt,
)

_MIXED_SIDE = 112


def compare_depth_anything_sizes(fixture: Fixture) -> Iterator[Comparison]:
    """Stored images and pinholes, and a table of sizes."""
    for number, told in enumerate(fixture.config.get("preproc", ())):
        start = f"preproc/{number}/"
        case = f"{told['W']}x{told['H']} {told['method']} {told['process_res']}"
        pinhole = fixture.array(f"{start}K_in")
        image, moved = fit_depth_anything(
            fixture.array(f"{start}in_u8"), pinhole, told["process_res"], told["method"]
        )
        yield share_differing(case, "preproc/out_u8", image, fixture.array(f"{start}out_u8"))
        yield of_scale(case, "preproc/K_out", moved, fixture.array(f"{start}K_out"))
    if "preproc/mixed/out_u8" in fixture.names:
        inputs = [n for n in fixture.under("preproc/mixed/") if n.startswith("in")]
        fitted = [
            fit_depth_anything(fixture.array(f"preproc/mixed/{name}"), side=_MIXED_SIDE)[0]
            for name in inputs
        ]
        published = fixture.array("preproc/mixed/out_u8")
        stacked = np.stack(cut_to_smallest(fitted)[0])
        yield share_differing("mixed", "preproc/out_u8", stacked, published)
    for width, height, rule, *size in fixture.config.get("sizes_504", ()):
        image, _ = fit_depth_anything(np.zeros((height, width, 3), np.uint8), rule=rule)
        case = f"{width}x{height} {rule}"
        yield share_differing(case, "sizes_504", [image.shape[1], image.shape[0]], size)


def compare_vggt_sizes(fixture: Fixture) -> Iterator[Comparison]:
    """Stored images, and a table of sizes."""
    for number, told in enumerate(fixture.config.get("preproc", ())):
        start = f"preproc/{number}/"
        image = fit_vggt(fixture.array(f"{start}in_u8"), rule=told["mode"])
        name = next(n for n in fixture.under(start) if n.startswith("out_u8"))
        step = int(name.partition("@::")[2] or 1)
        case = f"{told['W']}x{told['H']} {told['mode']}"
        published = fixture.array(start + name)
        yield share_differing(case, "preproc/out_u8", image[::step, ::step], published)
    for width, height, rule, *size in fixture.config.get("sizes_518", ()):
        image = fit_vggt(np.zeros((height, width, 3), np.uint8), rule=rule)
        case = f"{width}x{height} {rule}"
        yield share_differing(case, "sizes_518", [image.shape[1], image.shape[0]], size)
