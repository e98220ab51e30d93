# SPDX-License-Identifier: Apache-2.0
"""MV-DUSt3R and MV-DUSt3R+: points and splats of every view, from every reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, not_compared, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture, images, subsampled
from dens3r_ros.evaluation.parity.networks.loading import kind_of_weights, loaded
from dens3r_ros.network.descendants.mvdust3r import MvDust3r, ViewPoints
from dens3r_ros.network.pairwise.backbone import Tokens

NAME = "MV-DUSt3R"


def recognises(fixture: Fixture) -> bool:
    """Whether the file's weights are an MV-DUSt3R's."""
    return kind_of_weights(fixture) == "mvdust3r"


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every output of every case; those named `plus_` look from several references."""
    network = loaded(fixture, MvDust3r)
    paths = int(fixture.config["n_ref"])
    crossing = network.same_view_blocks
    with torch.inference_mode():
        for case in fixture.folders("case/") or [""]:
            single = bool(case) and not case.startswith("plus")
            network.same_view_blocks = None if single else crossing
            start = f"case/{case}/" if case else ""
            yield from _compare_case(fixture, network, case, start, paths)


def _compare_case(
    fixture: Fixture, network: MvDust3r, case: str, start: str, paths: int
) -> Iterator[Comparison]:
    views = images(fixture.array(f"{start}imgs_u8"))
    slots = _slots(network, views, paths)
    for name in fixture.under(start):
        output, _, how = name.partition("@")
        slot, _, kind = output.partition("/")
        if not slot.startswith("out_slot"):
            continue
        published = fixture.array(start + name)
        value = _stacked(slots, int(slot.removeprefix("out_slot")), kind, len(published))
        if value is None:
            yield not_compared(case, output, "our network gives no such output")
        else:
            yield of_scale(case, f"out/{kind}", subsampled(value, how), published)


def _slots(network: MvDust3r, views: Tensor, paths: int) -> list[list[ViewPoints]]:
    """Per path, with the reference of that path in the first place, as published."""
    tokens = network.encode(views)
    each = [Tokens(one[None], tokens.grid) for one in tokens.data]
    found = []
    for reference, states in enumerate(network.decode(each, paths)):
        read = network.read(states, list(views[:, None]), reference)
        read[0], read[reference] = read[reference], read[0]
        found.append(read)
    return found


def _stacked(slots: list[list[ViewPoints]], slot: int, kind: str, rows: int) -> Tensor | None:
    """One map of one slot, as many paths as the file keeps of it."""
    maps = []
    for path in slots[:rows]:
        view = path[slot]
        maps.append(
            {
                "pts3d": view.points,
                "pts3d_in_other_view": view.points,
                "conf": view.confidence,
                "rgb": view.splats.colours,
                "opacity": view.splats.opacities,
                "scale": view.splats.scales,
                "rotation": view.splats.rotations,
            }.get(kind)
        )
    known = [one for one in maps if one is not None]
    return torch.cat(known) if known else None
