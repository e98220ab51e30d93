# SPDX-License-Identifier: Apache-2.0
"""NoPoSplat: splats of two and more views."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, not_compared, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture, images, subsampled
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights, loaded
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.descendants.noposplat import NoPoSplat

NAME = "NoPoSplat"


def recognises(fixture: Fixture) -> bool:
    """Whether the file's weights are a NoPoSplat's."""
    return kind_of_weights(fixture) == "noposplat"


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every part of the splats of every case."""
    network = loaded(fixture, NoPoSplat)
    with torch.inference_mode():
        for case in fixture.folders("case/") or [""]:
            yield from _compare_case(fixture, network, case, f"case/{case}/" if case else "")


def _compare_case(
    fixture: Fixture, network: NoPoSplat, case: str, start: str
) -> Iterator[Comparison]:
    views = images(fixture.array(f"{start}imgs_u8"))
    splats = network(views[None], fixture.tensor(f"{start}intrinsics")[None])
    maps = _maps(splats)
    for name in fixture.under(f"{start}out/"):
        output, _, how = name.partition("@")
        published = fixture.array(f"{start}out/{name}")
        if output not in maps:
            yield not_compared(case, f"out/{output}", "our network gives no such output")
            continue
        value = maps[output]
        value = subsampled(value, how) if how else value.flatten(0, 2)
        if output == "harmonics" and f"{start}harmonics_stride" in fixture.names:
            value = value[:: int(fixture.array(f"{start}harmonics_stride"))]
        yield of_scale(case, f"out/{output}", value, published)


def _maps(splats: PixelSplats) -> dict[str, Tensor]:
    """(V, H, W, ...) by their published names."""
    found = {
        "means": splats.means,
        "covariances": splats.covariances(),
        "harmonics": splats.harmonics,
        "opacities": splats.opacities,
        "scales": splats.scales,
        "rotations_xyzw": splats.rotations,
    }
    return {name: value[0] for name, value in found.items()}
