# SPDX-License-Identifier: Apache-2.0
"""If these fail, a published checkpoint of full size does not load whole, or loads another way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from published_views import ABSENT, FIXTURES, state_keys

from dens3r_ros.network import build_network
from dens3r_ros.network.checkpoints.load import build
from dens3r_ros.network.checkpoints.read import from_published

MODELS = {
    "da3_small": {"heads": 6, "hooks": (5, 7, 9, 11), "starts": 4},
    "da3_base": {"heads": 12, "hooks": (5, 7, 9, 11), "starts": 4},
    "da3_large": {"heads": 16, "hooks": (11, 15, 19, 23), "starts": 8},
    "da3_giant": {"heads": 24, "hooks": (19, 27, 33, 39), "starts": 13},
    "da3mono_large": {"heads": 16, "hooks": (4, 11, 17, 23)},
    "da3metric_large": {"heads": 16, "hooks": (4, 11, 17, 23)},
    "vggt_1b": {"heads": 16, "hooks": (4, 11, 17, 23)},
}
UNREAD = {
    "da3": ("output_conv1_aux.", "output_conv2_aux.", "gs_head."),
    "vggt": ("aggregator.patch_embed.mask_token", "track_head."),
}

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


def tensors_of(model: str, with_aliases: bool = False) -> dict[str, torch.Tensor]:
    stored = state_keys(model)
    return {
        key: torch.empty(shape, device="meta")
        for key, shape in stored["keys"].items()
        if with_aliases or key not in stored["alias_keys"]
    }


@pytest.mark.parametrize("with_aliases", [False, True], ids=["file", "with aliases"])
@pytest.mark.parametrize("model", MODELS)
def test_every_tensor_has_its_place(model: str, with_aliases: bool) -> None:
    tensors = tensors_of(model, with_aliases)
    weights = from_published(tensors, {}, Path(model))
    assert weights is not None
    network = build(weights)
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()} == own
    used = {id(tensor) for tensor in weights.tensors.values()}
    unread = [key for key, tensor in tensors.items() if id(tensor) not in used]
    expected = UNREAD["vggt" if model.startswith("vggt") else "da3"]
    assert all(any(part in key for part in expected) for key in unread), unread


@pytest.mark.parametrize("model", MODELS)
def test_what_shapes_do_not_tell_follows_from_depth(model: str) -> None:
    description = build_network(tensors_of(model), name=model).description
    expected = MODELS[model]
    assert description.encoder.heads == expected["heads"]
    assert description.hooks == expected["hooks"]
    if "starts" in expected:
        starts = (description.cross_from, description.qk_norm_from, description.rotate_from)
        assert starts == (expected["starts"],) * 3


@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_as_many_as_published(model: str) -> None:
    """But for those that nothing reads."""
    stored = state_keys(model)
    unread = UNREAD["vggt" if model.startswith("vggt") else "da3"]
    network = build_network(tensors_of(model), name=model)
    own = sum(parameter.numel() for parameter in network.parameters())
    dead = sum(
        torch.Size(shape).numel()
        for key, shape in stored["keys"].items()
        if key not in stored["alias_keys"]
        and any(part in key for part in unread)
        # Of what is never read at other levels, level 3 and the one norm are read.
        and not any(part in key for part in ("aux.3.", "output_conv2_aux.0.2."))
    )
    assert own + dead == stored["n_elements_unique"]


def test_names_tell_metric_depth_and_licences() -> None:
    mono = build_network(tensors_of("da3mono_large"), name="DA3MONO-LARGE")
    metric = build_network(tensors_of("da3metric_large"), {"model_name": "da3metric-large"})
    assert (mono.info.metric, metric.info.metric) == (False, True)
    assert mono.info.licence == metric.info.licence == "Apache-2.0"
    assert build_network(tensors_of("da3_base")).info.licence == "Apache-2.0"
    assert "non-commercial" in build_network(tensors_of("da3_large")).info.licence
    vggt = tensors_of("vggt_1b")
    assert "non-commercial" in build_network(vggt, name="VGGT-1B").info.licence
    assert "commercial use allowed" in build_network(vggt, name="VGGT-1B-Commercial").info.licence
