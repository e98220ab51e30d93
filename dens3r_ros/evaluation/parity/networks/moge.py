# SPDX-License-Identifier: Apache-2.0
"""MoGe-1 and MoGe-2: raw maps, recovered cameras, and grids of patches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import (
    Comparison,
    angular,
    not_compared,
    of_scale,
    share_differing,
)
from dens3r_ros.evaluation.parity.fixture import Fixture, subsampled
from dens3r_ros.evaluation.parity.networks.loading import loaded_multiview
from dens3r_ros.network.monocular.moge.first import Moge1, inner_size
from dens3r_ros.network.monocular.moge.inference import CameraPoints, infer
from dens3r_ros.network.monocular.moge.recovery import recover_camera
from dens3r_ros.network.monocular.moge.second import Moge2, patches

NAME = "MoGe"
# Nearer than this to the threshold a pixel may fall on either side of it.
_UNDECIDED = 1e-4
_THRESHOLD = 0.5
_INFER: dict[str, dict[str, Any]] = {
    "infer": {},
    "infer_fov60": {"fov_x_deg": 60.0},
    "infer_noproj_nomask": {"on_rays": False, "masked": False},
}


def recognises(fixture: Fixture) -> bool:
    """Whether the file's weights are a MoGe's."""
    return str(fixture.config.get("kind", "")).startswith(("moge1", "moge2"))


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Raw maps and inferred ones of every case, cameras of stored points, grids of patches."""
    network = load(fixture)
    for case, told in fixture.config["cases"].items():
        with torch.inference_mode():
            yield from _compare_case(fixture, network, case, int(told["num_tokens"]))
    for number in fixture.folders("recover/"):
        yield from _compare_recovery(fixture, number)
    for width, height, tokens, *grid in fixture.config.get("token_grids", ()):
        case = f"{tokens} tokens of {width}x{height}"
        yield share_differing(case, "token_grids", _grid(network, width, height, tokens), grid)


def load(fixture: Fixture) -> Moge1 | Moge2:
    """The network with the file's weights, or those of its recipe."""
    config = fixture.config
    settings = {**config["model_config"], "enc_num_heads": config.get("enc_heads")}
    if config["kind"].startswith("moge1"):
        return loaded_multiview(fixture, Moge1, **settings)
    return loaded_multiview(fixture, Moge2, **settings)


def _compare_case(
    fixture: Fixture, network: Moge1 | Moge2, case: str, tokens: int
) -> Iterator[Comparison]:
    start = f"case/{case}/"
    images = fixture.tensor(f"{start}img_u8").permute(0, 3, 1, 2).float() / 255
    raw = network(images, tokens)
    ours = {
        "points": raw.points,
        "mask": raw.mask,
        "normal": raw.normals,
        "metric_scale": raw.scale,
    }
    for name in fixture.under(f"{start}out/"):
        output, _, how = name.partition("@")
        published = fixture.array(f"{start}out/{name}")
        yield _map(case, f"out/{output}", ours.get(output), published, how)
    undecided = (raw.mask - _THRESHOLD).abs() <= _UNDECIDED
    for kind, options in _INFER.items():
        if fixture.under(f"{start}{kind}/"):
            found = infer(network, images, tokens, **options)
            yield from _inferred(fixture, case, kind, found, undecided)


def _inferred(
    fixture: Fixture, case: str, kind: str, found: CameraPoints, undecided: Tensor
) -> Iterator[Comparison]:
    """Maps only where something is; where that is, apart from undecided pixels."""
    start = f"case/{case}/{kind}/"
    mask = fixture.tensor(f"{start}mask")
    differ = (found.mask != mask) & ~undecided
    yield share_differing(case, f"{kind}/mask", differ, torch.zeros_like(differ))
    ours: dict[str, Tensor | None] = {
        "points": found.points,
        "depth": found.depth,
        "normal": found.normals,
        "intrinsics": found.intrinsics,
        "focal": found.focal,
        "shift": found.shift,
    }
    for name in fixture.under(start):
        value, published = ours.get(name), fixture.tensor(start + name)
        if name == "mask":
            continue
        if value is not None and name in ("points", "depth", "normal"):
            both = mask & found.mask
            value, published = value[both], published[both]
        yield _map(case, f"{kind}/{name}", value, published.numpy())


def _map(
    case: str, output: str, value: Tensor | None, published: np.ndarray, how: str = ""
) -> Comparison:
    if value is None:
        return not_compared(case, output, "our network gives no such output")
    value = subsampled(value, how)
    if output.endswith("normal"):
        return angular(case, output, value, published)
    return of_scale(case, output, value, published)


def _compare_recovery(fixture: Fixture, number: str) -> Iterator[Comparison]:
    start = f"recover/{number}/"
    points = fixture.tensor(f"{start}points")
    mask = fixture.tensor(f"{start}mask") if f"{start}mask" in fixture.names else None
    focal, shift = recover_camera(points, mask)
    true_focal = float(fixture.array(f"{start}true_focal_shift")[0])
    given = recover_camera(points, mask, true_focal)[1]
    ours = {"focal": focal, "shift": shift, "shift_given_focal": given}
    depth = float(points[..., 2].abs().max())
    for name, value in ours.items():
        scale = None if name == "focal" else depth
        published = fixture.array(start + name)
        yield of_scale(number, f"recover/{name}", value, published, scale=scale)


def _grid(network: Moge1 | Moge2, width: int, height: int, tokens: int) -> list[int]:
    if isinstance(network, Moge2):
        rows, columns = patches(width / height, tokens)
        return [columns, rows]
    rows, columns = inner_size((height, width), tokens)
    return [columns, rows, columns // 14, rows // 14]
