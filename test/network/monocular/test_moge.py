# SPDX-License-Identifier: Apache-2.0
"""If these fail, depth of one image comes out at another scale or shape than MoGe's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.network import WeightsError, build_network, load_network, save_network
from dens3r_ros.network.monocular.moge.first import Moge1, inner_size
from dens3r_ros.network.monocular.moge.inference import infer
from dens3r_ros.network.monocular.moge.raw import tokens_at
from dens3r_ros.network.monocular.moge.recovery import (
    focal_of_view,
    intrinsics_of,
    recover_camera,
)
from dens3r_ros.network.monocular.moge.second import Moge2, patches

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "multiview"
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)


def stored(name: str) -> tuple[dict[str, torch.Tensor], dict]:
    arrays = np.load(FIXTURES / f"{name}.npz")
    config = json.loads(str(arrays["config_json"]))
    tensors = {k[3:]: torch.from_numpy(arrays[k]) for k in arrays.files if k.startswith("sd/")}
    return tensors, config["model_config"] | {"enc_num_heads": config["enc_heads"]}


def scene(height: int, width: int, focal: float) -> torch.Tensor:
    """Points of a bumpy surface seen by a camera of that focal length in pixels."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    depth = 2.0 + 0.5 * torch.sin(x / 9) * torch.cos(y / 13) + 0.01 * x
    rays = torch.stack(((x - width / 2) / focal, (y - height / 2) / focal), dim=-1)
    return torch.cat((rays * depth[..., None], depth[..., None]), dim=-1)


@pytest.mark.parametrize(("size", "focal"), [((120, 160), 140.0), ((150, 100), 90.0)])
def test_focal_and_shift_of_points_are_found(size: tuple[int, int], focal: float) -> None:
    points = scene(*size, focal)
    points[..., 2] -= 0.7
    found, shift = recover_camera(points)
    fx, fy = intrinsics_of(found, size[1] / size[0])
    assert fx * size[1] == pytest.approx(focal, rel=0.01)
    assert fy * size[0] == pytest.approx(focal, rel=0.01)
    assert shift == pytest.approx(0.7, abs=0.02)


def test_a_known_field_of_view_is_kept_and_masked_pixels_have_no_say() -> None:
    points = scene(100, 100, 100.0)
    points[..., 2] -= 0.3
    mask = torch.ones(100, 100, dtype=torch.bool)
    points[:30], mask[:30] = torch.randn(30, 100, 3), False
    focal = focal_of_view(2 * np.degrees(np.arctan(50 / 100)), 1.0)
    found, shift = recover_camera(points, mask, focal)
    assert found == focal and shift == pytest.approx(0.3, abs=0.02)


def test_next_to_nothing_seen_gives_no_camera() -> None:
    assert recover_camera(scene(64, 64, 60.0), torch.zeros(64, 64, dtype=torch.bool)) == (1.0, 0.0)


def test_grids_follow_the_image() -> None:
    assert patches(640 / 480, 1200) == (30, 40) and inner_size((480, 640), 1275) == (432, 577)
    assert tokens_at(0, (1200, 3600)) == 1200 and tokens_at(9, (1200, 3600)) == 3600
    with pytest.raises(ValueError, match="from 0 to 9"):
        tokens_at(10, (1200, 3600))


@needs_fixtures
@pytest.mark.parametrize(("name", "kind"), [("moge1_small", Moge1), ("moge2_small", Moge2)])
def test_files_as_published_and_our_own(name: str, kind: type, tmp_path: Path) -> None:
    tensors, config = stored(name)
    torch.save({"model_config": config, "model": tensors}, tmp_path / "model.pt")
    network = load_network(tmp_path / "model.pt")
    assert isinstance(network, kind) and network.info.views == 1
    assert network.info.metric == (kind is Moge2) and "MIT" in network.info.licence
    save_network(network, tmp_path / "own.safetensors")
    again = load_network(tmp_path / "own.safetensors")
    assert again.description == network.description
    image = torch.rand(1, 3, 70, 93, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        first, second = (infer(one, image, tokens=60) for one in (network, again))
    assert torch.equal(first.depth, second.depth)


@needs_fixtures
@pytest.mark.parametrize("name", ["moge1_small", "moge2_small"])
def test_images_of_any_size_and_each_by_itself(name: str) -> None:
    network = build_network(*stored(name))
    images = torch.rand(2, 3, 67, 101, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        both = infer(network, images, tokens=60)
        one = infer(network, images[1:], tokens=60)
    assert both.points.shape == (2, 67, 101, 3) and both.mask.dtype == torch.bool
    seen = one.mask[0] & both.mask[1]
    assert torch.allclose(both.depth[1][seen], one.depth[0][seen], rtol=1e-3)
    assert both.depth[~both.mask].isinf().all()
    rays = both.points[1][seen] / both.depth[1][seen][:, None]
    assert torch.allclose(rays[:, 2], torch.ones(len(rays)))


@needs_fixtures
def test_half_precision_stays_near() -> None:
    tensors, config = stored("moge2_small")
    exact, rough = build_network(tensors, config), build_network(dict(tensors), config)
    rough.set_backbone_dtype(torch.bfloat16)
    image = torch.rand(1, 3, 84, 84, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        a, b = exact(image, 49).points, rough(image, 49).points
    assert b.dtype == torch.float32 and float((a - b).abs().mean() / a.abs().mean()) < 0.1


@needs_fixtures
def test_what_is_missing_is_said() -> None:
    tensors, config = stored("moge2_small")
    del config["encoder"]
    with pytest.raises(WeightsError, match="intermediate_layers"):
        build_network(tensors, config, "moge")
    tensors, config = stored("moge2_small")
    del tensors["points_head.output_blocks.4.weight"]
    with pytest.raises(WeightsError, match="moge"):
        build_network(tensors, config, "moge")


@needs_fixtures
def test_residual_blocks_of_another_kind_are_refused() -> None:
    tensors, config = stored("moge2_small")
    config["neck"] = config["neck"] | {"res_block_in_norm": "group_norm"}
    with pytest.raises(WeightsError, match="res_block_in_norm 'group_norm'"):
        build_network(tensors, config, "moge")
    tensors, config = stored("moge1_small")
    config["res_block_norm"] = "layer_norm"
    with pytest.raises(WeightsError, match="res_block_norm 'layer_norm'"):
        build_network(tensors, config, "moge")


@needs_fixtures
@pytest.mark.parametrize("kind", ["nearest", "pixel_shuffle"])
def test_steps_between_levels_of_another_kind_are_refused(kind: str) -> None:
    """Their tensors fit where these are made, so that maps would be wrong without a word."""
    tensors, config = stored("moge2_small")
    config["points_head"] = config["points_head"] | {"resamplers": [kind, "bilinear"]}
    with pytest.raises(WeightsError, match=rf"points_head\.resamplers '{kind}'"):
        build_network(tensors, config, "moge")


@needs_fixtures
def test_a_second_moge_without_a_mask_is_refused() -> None:
    tensors, config = stored("moge2_small")
    kept = {key: value for key, value in tensors.items() if not key.startswith("mask_head.")}
    with pytest.raises(WeightsError, match="without a mask"):
        build_network(kept, config, "moge")
