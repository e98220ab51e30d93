# SPDX-License-Identifier: Apache-2.0
"""If these fail, Depth Anything 3, MoGe and VGGT see images otherwise than they were trained to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.network.parts.dinov2 import DinoEncoder, DinoSize, normalise

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "multiview"
SMALL = DinoSize(width=24, depth=3, heads=2, hidden=96)


@pytest.fixture
def encoder() -> DinoEncoder:
    torch.manual_seed(0)
    made = DinoEncoder(SMALL).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.3)
    return made


def test_tokens_of_hooked_blocks_come_normed_and_in_order(encoder: DinoEncoder) -> None:
    images = torch.rand(2, 3, 28, 42)
    first, last = encoder(images, (0, 2))
    assert first.shape == last.shape == (2, 1 + 2 * 3, 24)
    torch.testing.assert_close(last, encoder(images)[0])
    assert not torch.allclose(first, last)


def test_registers_have_no_position(encoder: DinoEncoder) -> None:
    with_registers = DinoEncoder(DinoSize(24, 1, 2, 96, registers=2))
    with torch.no_grad():
        with_registers.register_tokens.fill_(7.0)
        with_registers.pos_embed.fill_(1.0)
    tokens = with_registers.embed(torch.zeros(1, 3, 14, 28))
    assert tokens.shape[1] == 1 + 2 + 2
    assert (tokens[:, 1:3] == 7).all()
    assert (tokens[:, 0] == 1).all()


def test_the_stored_grid_is_taken_as_it_is(encoder: DinoEncoder) -> None:
    assert torch.equal(encoder.positions((37, 37)), encoder.pos_embed[:, 1:])


def test_positions_are_sampled_with_the_published_offset(encoder: DinoEncoder) -> None:
    ramp = torch.arange(37.0).repeat(37, 1).flatten()
    with torch.no_grad():
        encoder.pos_embed[:, 1:] = ramp[None, :, None]
    found = encoder.positions((20, 30)).reshape(20, 30, 24)[10, :, 0]
    expected = (torch.arange(30) + 0.5) * 37 / 30.1 - 0.5
    torch.testing.assert_close(found[3:-3], expected[3:-3], atol=0.05, rtol=0)
    plain = (torch.arange(30) + 0.5) * 37 / 30 - 0.5
    assert (found - plain)[3:-3].abs().max() > 0.05


def test_other_sizes_are_refused(encoder: DinoEncoder) -> None:
    with pytest.raises(ValueError, match="30x28 is no multiple of 14"):
        encoder(torch.zeros(1, 3, 28, 30))


@pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)
@pytest.mark.parametrize(
    ("name", "case", "prefix"),
    [
        ("da3_metric_or_mono_small", "one_land", "model.backbone.pretrained."),
        ("moge2_small", None, "encoder.backbone."),
    ],
)
def test_published_tokens(name: str, case: str | None, prefix: str) -> None:
    arrays = np.load(FIXTURES / f"{name}.npz")
    config = json.loads(str(arrays["config_json"]))
    key = next(k for k in arrays.files if k.endswith("inter/tokens0") and (case or "") in k)
    case = key.split("/")[1]
    state = {
        k.removeprefix(f"sd/{prefix}"): torch.from_numpy(arrays[k])
        for k in arrays.files
        if k.startswith(f"sd/{prefix}") and "mask_token" not in k
    }
    depth = config.get("depth") or config["enc_depth"]
    heads = config.get("num_heads") or config["enc_heads"]
    encoder = DinoEncoder(DinoSize(config["embed_dim"], depth, heads, 4 * config["embed_dim"]))
    encoder.load_state_dict(state)
    image14 = f"case/{case}/inter/image14"
    if image14 in arrays.files:
        images = torch.from_numpy(arrays[image14])
    else:
        pixels = torch.from_numpy(arrays[f"case/{case}/img_u8"])
        images = normalise(pixels.permute(0, 3, 1, 2) / 255)
    tokens = encoder.embed(images)
    torch.testing.assert_close(tokens, torch.from_numpy(arrays[key]), atol=2e-5, rtol=0)
    last = f"case/{case}/inter/norm_last"
    if last in arrays.files:
        expected = torch.from_numpy(arrays[last])
        with torch.inference_mode():
            torch.testing.assert_close(encoder(images)[0], expected, atol=1e-4, rtol=0)
