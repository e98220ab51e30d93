# SPDX-License-Identifier: Apache-2.0
"""If these fail, networks of widths that no published one has do not load, or their errors hide."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from published_layout import DUST3R_DPT, backbone_shapes, dpt_head_shapes, random_tensors

from dens3r_ros.evaluation.parity.fixture import Fixture, images
from dens3r_ros.evaluation.parity.kinds import check
from dens3r_ros.evaluation.parity.networks.pairwise import load

REDUCED, LAST = 8, 5
OUTPUTS = {
    "out1/pts3d": "points_a",
    "out1/conf": "confidence_a",
    "out2/pts3d_in_other_view": "points_b",
    "out2/conf": "confidence_b",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A network whose last two convolutions have widths of their own, and what it gives."""
    shapes = backbone_shapes()
    for head in ("downstream_head1", "downstream_head2"):
        shapes |= dpt_head_shapes(head)
        features = shapes[f"{head}.dpt.head.0.weight"][1]
        shapes[f"{head}.dpt.head.0.weight"] = (REDUCED, features, 3, 3)
        shapes[f"{head}.dpt.head.0.bias"] = (REDUCED,)
        shapes[f"{head}.dpt.head.2.weight"] = (LAST, REDUCED, 3, 3)
        shapes[f"{head}.dpt.head.2.bias"] = (LAST,)
        shapes[f"{head}.dpt.head.4.weight"] = (4, LAST, 1, 1)
    # Large enough that what the images show reaches the outputs.
    arrays = {f"sd/{key}": 5 * value.numpy() for key, value in random_tensors(shapes).items()}
    generator = np.random.default_rng(0)
    for view in (1, 2):
        arrays[f"case/pair/img{view}_u8"] = generator.integers(0, 256, (48, 64, 3), np.uint8)
    arguments = {k: _plain(v) for k, v in DUST3R_DPT.items()}
    arrays["config_json"] = np.array(json.dumps({"kind": "dust3r", "model_kwargs": arguments}))
    path = tmp_path / "widths.npz"
    np.savez(path, **arrays)
    fixture = Fixture(path)
    pair = [images(fixture.array(f"case/pair/img{view}_u8")[None]) for view in (1, 2)]
    with torch.inference_mode():
        prediction = load(fixture)(*pair)
    arrays |= {
        f"case/pair/{name}": getattr(prediction, own).numpy() for name, own in OUTPUTS.items()
    }
    np.savez(path, **arrays)
    return path


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def changed(path: Path, name: str, factor: float) -> Path:
    arrays = dict(np.load(path))
    arrays[name] = arrays[name] * np.float32(factor)
    np.savez(path, **arrays)
    return path


def test_it_loads_and_agrees_with_itself(file: Path) -> None:
    report = check(file)
    assert report.status == "passed", report
    assert {row.output for row in report.comparisons} == set(OUTPUTS)
    assert max(row.error for row in report.comparisons) < 1e-6


@pytest.mark.parametrize("key", ["enc_norm.weight", "dec_blocks2.1.cross_attn.projk.weight"])
def test_a_weight_that_is_off_is_noticed(file: Path, key: str) -> None:
    report = check(changed(file, f"sd/{key}", 1.5))
    assert report.status == "off"
    assert any(not row.passed for row in report.worst())


def test_an_output_that_is_off_is_named(file: Path) -> None:
    report = check(changed(file, "case/pair/out2/conf", 1.001))
    off = [row.output for row in report.comparisons if not row.passed]
    assert report.status == "off" and off == ["out2/conf"]


def test_an_output_that_nothing_is_compared_with_does_not_pass(file: Path) -> None:
    arrays = dict(np.load(file))
    arrays["case/pair/out1/colour"] = np.zeros((1, 48, 64, 3), np.float32)
    np.savez(file, **arrays)
    report = check(file)
    assert report.status == "off"
    assert [row.output for row in report.comparisons if math.isnan(row.error)] == ["out1/colour"]
