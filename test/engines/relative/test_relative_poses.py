# SPDX-License-Identifier: Apache-2.0
"""If these fail, a photo cannot be placed by relative poses, or by those of the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dens3r_ros.engines.relative.by_network import PosesByReloc3r
from dens3r_ros.engines.relative.by_points import PosesByPoints
from dens3r_ros.engines.relative.loading import load_poser
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.network import TransformerSize, save_network
from dens3r_ros.network.descendants.reloc3r import Reloc3r, Reloc3rDescription
from dens3r_ros.network.pairwise.description import BackboneSize


@pytest.fixture(scope="module")
def small() -> Reloc3r:
    torch.manual_seed(5)
    encoder, decoder = TransformerSize(64, 2, 4, 128), TransformerSize(48, 2, 3, 96)
    size = BackboneSize(encoder=encoder, decoder=decoder, shared_decoder=True)
    return Reloc3r(Reloc3rDescription(size)).eval()


def test_points_tell_how_cameras_stand(walk: Any) -> None:
    poser = PosesByPoints(OracleEngine(walk, long_side=160, metric=True))
    a, b = poser.encode([walk[0], walk[4]])
    found, still = poser.relative(a, b), poser.relative(a, a)
    assert found is not None and found.shifted
    wanted = np.linalg.inv(walk.poses[0]) @ walk.poses[4]
    assert np.rad2deg(turn(found.T_a_b[:3, :3].T @ wanted[:3, :3])) < 1.5
    t, true = found.T_a_b[:3, 3], wanted[:3, 3]
    assert t @ true > np.cos(np.deg2rad(12)) * np.linalg.norm(t) * np.linalg.norm(true)
    assert still is not None and not still.shifted


def test_a_network_of_relative_poses_runs_by_its_file(small: Reloc3r, tmp_path: Path) -> None:
    path = tmp_path / "reloc3r.safetensors"
    save_network(small, path)
    poser = load_poser("torch", str(path), size=128)
    assert isinstance(poser, PosesByReloc3r) and not poser.needs_lens
    random = np.random.RandomState(0)
    wide, high = (
        Frame(random.randint(0, 255, (*size, 3), np.uint8), 0) for size in ((96, 128), (128, 96))
    )
    found = poser.relative(*poser.encode([wide, high]))
    assert found is not None
    R = found.T_a_b[:3, :3]
    assert np.allclose(R @ R.T, np.eye(3), atol=1e-5) and np.linalg.det(R) > 0
    images = [
        torch.from_numpy(one.image).permute(2, 0, 1)[None] / 127.5 - 1 for one in (wide, high)
    ]
    with torch.inference_mode():
        wanted = small(*images).T_a_b[0].numpy()
    exact = PosesByReloc3r(small, TorchConfig(device="cpu", precision="fp32", max_side=128))
    same = exact.relative(*exact.encode([wide, high]))
    assert same is not None and np.allclose(same.T_a_b, wanted, atol=1e-4)


def test_other_models_are_engines() -> None:
    assert isinstance(load_poser("geometric"), PosesByPoints)
    with pytest.raises(ValueError, match="no model is named"):
        load_poser("torch", "no-such-model")
