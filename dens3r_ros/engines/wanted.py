# SPDX-License-Identifier: Apache-2.0
"""Asking a network's heads for what is wanted, and for nothing else."""

from __future__ import annotations

from torch import Tensor

from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.network import Network, View

NOTHING = Outputs("", "", "")
VIEWS: tuple[View, View] = ("a", "b")


def available(network: Network) -> Outputs:
    """All that a network can give."""
    given = network.info.outputs
    names = ("points", "normals", "descriptors")
    points, normals, descriptors = ("ab" if name in given else "" for name in names)
    return Outputs(points, normals, descriptors)


def restrict(outputs: Outputs, to: Outputs) -> Outputs:
    """What of `outputs` is among those of `to`."""

    def both(one: str, other: str) -> str:
        return "".join(view for view in VIEWS if view in one and view in other)

    return Outputs(
        both(outputs.points, to.points),
        both(outputs.normals, to.normals),
        both(outputs.descriptors, to.descriptors),
    )


def wanted_maps(
    network: Network, states: tuple[States, States], outputs: Outputs
) -> dict[str, Tensor]:
    """The maps of `outputs` that the network has, named as in PairPrediction."""
    outputs = restrict(outputs, available(network))
    maps: dict[str, Tensor | None] = {}
    for view, state in zip(VIEWS, states, strict=True):
        if view in outputs.points:
            maps[f"points_{view}"], maps[f"confidence_{view}"] = network.points(state, view)
        if view in outputs.normals:
            maps[f"normals_{view}"] = network.normals(state)
        if view in outputs.descriptors:
            descriptors, confidence = network.descriptors(state, view)
            maps[f"descriptors_{view}"] = descriptors
            maps[f"descriptor_confidence_{view}"] = confidence
            if confidence is None and view in outputs.points:
                maps[f"descriptor_confidence_{view}"] = maps[f"confidence_{view}"]
    return {name: value for name, value in maps.items() if value is not None}
