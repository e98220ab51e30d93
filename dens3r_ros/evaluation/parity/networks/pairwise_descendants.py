# SPDX-License-Identifier: Apache-2.0
"""Splatt3R, Align3R and DAS3R: a pairwise network and what each adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, not_compared, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture, images
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights, loaded
from dens3r_ros.evaluation.parity.networks.pairwise import FIELDS
from dens3r_ros.network import PairPrediction
from dens3r_ros.network.descendants.align3r import Align3R, normalised_points
from dens3r_ros.network.descendants.das3r import Das3r
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.descendants.splatt3r import Splatt3R

NAMES = {"splatt3r": "Splatt3R", "align3r": "Align3R", "das3r": "DAS3R"}
_CLASSES: dict[str, type[Splatt3R | Align3R | Das3r]] = {
    "splatt3r": Splatt3R,
    "align3r": Align3R,
    "das3r": Das3r,
}
_Maps = dict[str, Tensor | None]


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every output of both views of every case."""
    network = loaded(fixture, _CLASSES[kind_of_weights(fixture)])
    with torch.inference_mode():
        for case in fixture.folders("case/"):
            start = f"case/{case}/"
            if isinstance(network, Align3R):
                yield from _compare_clouds(fixture, case, start)
            maps = _maps(fixture, network, start)
            for part in ("out1", "out2"):
                for name in fixture.under(f"{start}{part}/"):
                    published = fixture.array(f"{start}{part}/{name}")
                    value = maps.get(f"{part}/{name}")
                    if value is None:
                        yield not_compared(case, f"{part}/{name}", "our network gives none")
                    else:
                        yield of_scale(case, f"{part}/{name}", value, published)


def _compare_clouds(fixture: Fixture, case: str, start: str) -> Iterator[Comparison]:
    for view in (1, 2):
        depth = fixture.tensor(f"{start}depth{view}")[None]
        found = normalised_points(depth, float(fixture.array(f"{start}focal{view}")))[0]
        published = fixture.array(f"{start}pred_depth{view}")
        yield of_scale(case, f"pred_depth{view}", found, published)


def _maps(fixture: Fixture, network: torch.nn.Module, start: str) -> _Maps:
    """Maps (H, W, ...) by their published names."""
    a, b = (images(fixture.array(f"{start}img{view}_u8")[None]) for view in (1, 2))
    if isinstance(network, Align3R):
        clouds = (fixture.tensor(f"{start}pred_depth{view}")[None] for view in (1, 2))
        return _of_pair(network(a, b, *clouds))
    if isinstance(network, Das3r):
        prediction, masks = network(a, b)
        moving: _Maps = {
            f"out{view}/dynamic_mask": mask[0] for view, mask in enumerate(masks, start=1)
        }
        return _of_pair(prediction) | moving
    prediction, splats = network(a, b)
    return _of_pair(prediction) | _of_splats(splats)


def _of_pair(prediction: PairPrediction) -> _Maps:
    found: _Maps = {}
    for view, letter in ((1, "a"), (2, "b")):
        for theirs, ours in FIELDS.items():
            value = getattr(prediction, f"{ours}_{letter}")
            found[f"out{view}/{theirs}"] = None if value is None else value[0]
    return found


def _of_splats(splats: PixelSplats) -> _Maps:
    found: _Maps = {}
    for view in (1, 2):
        one = replace(splats, **{n: v[0, view - 1] for n, v in vars(splats).items()})
        means = "means" if view == 1 else "means_in_other_view"
        of_view = {
            means: one.means,
            "scales": one.scales,
            "rotations": one.rotations,
            "sh": one.harmonics,
            "opacities": one.opacities[..., None],
            "covariances": one.covariances(),
        }
        found |= {f"out{view}/{name}": value for name, value in of_view.items()}
    return found
