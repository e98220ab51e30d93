# SPDX-License-Identifier: Apache-2.0
"""If these fail, a network of many views learns nothing, or what it learned cannot be used."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.engines.views.engine import ViewsEngine
from dens3r_ros.frame import Frame
from dens3r_ros.network.checkpoints.load import load_network
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.pose_encoding import (
    decode_intrinsics,
    decode_poses,
    encode_cameras,
)
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.training.ablation import ablate
from dens3r_ros.training.checkpoint import load_state
from dens3r_ros.training.config_reader import read_config
from dens3r_ros.training.data.views import heldout_views
from dens3r_ros.training.distributed import ProcessGroup
from dens3r_ros.training.entry import Request, train
from dens3r_ros.training.journal import read_rows
from dens3r_ros.training.losses.views_losses import predicted_points, views_losses
from dens3r_ros.training.trainer import Trainer
from dens3r_ros.training.validation.views import point_errors

SMALL = {
    "objective": "views",
    "views": {
        "network": {
            "encoder": {"width": 64, "depth": 6, "heads": 4, "hidden": 192, "norm_epsilon": 1e-5},
            "head": {"layer_dims": [16, 16, 32, 32], "features": 16},
            "cross_from": 2, "qk_norm_from": 2, "rotate_from": 2, "hooks": [2, 3, 4, 5],
            "camera_encoder": None, "training_size": [56, 42],
        },
        "counts": [2, 3],
    },
    "phases": [
        {"sizes": [[56, 42]], "pairs": 8, "batch": 2, "chunk": 2, "echo": 1, "lr": 3e-3,
         "lr_end": 1e-4, "warmup": 4},
    ],
    "optimization": {"method": "muon"},
    "ema": 0.98,
    "ahead": 0,
    "evaluation": {"pairs": 4, "batch": 4, "minutes": 10.0},
}  # fmt: skip
CPU = torch.device("cpu")
ALONE = ProcessGroup(0, 1, CPU)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "views.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def as_predicted(truth, unit=1.0):
    """What a network would say that knows everything, in units of its own."""
    T = truth.T_first_view.clone()
    T[..., :3, 3] *= unit
    size = truth.depth.shape[-2:]
    K = truth.K[:, None].expand(-1, T.shape[1], -1, -1).clone()
    K[..., :2, 2] += 0.5
    encoding = encode_cameras(T, K, size)
    return ViewsPrediction(
        depth=truth.depth * unit,
        confidence=torch.ones_like(truth.depth),
        pose_encoding=encoding,
        T_world_camera=decode_poses(encoding),
        intrinsics=decode_intrinsics(encoding, size),
        rays=_rays(T, truth.K, size),
        rays_confidence=torch.ones(*T.shape[:2], 24, 32),
    )


def _rays(T, K, size):
    """By hand: through the middles of 24 x 32 cells."""
    rays = torch.empty(*T.shape[:2], 24, 32, 6)
    for row in range(24):
        for column in range(32):
            x, y = (column + 0.5) * size[1] / 32 - 0.5, (row + 0.5) * size[0] / 24 - 0.5
            ahead = torch.stack(
                ((x - K[:, 0, 2]) / K[:, 0, 0], (y - K[:, 1, 2]) / K[:, 1, 1], K[:, 2, 2]), -1
            )
            rays[:, :, row, column, :3] = (T[..., :3, :3] @ ahead[:, None, :, None])[..., 0]
            rays[:, :, row, column, 3:] = T[..., :3, 3]
    return rays


@pytest.mark.parametrize("unit", [1.0, 0.2])
def test_the_truth_costs_nothing_in_any_unit(unit):
    truth = heldout_views(0, 4, 3, (56, 42), CPU)
    losses = views_losses(as_predicted(truth, unit), truth, 0.2)
    assert set(losses) == {"depth", "points", "cameras", "rays"}
    assert all(abs(float(loss)) < 2e-3 for loss in losses.values()), losses


def test_each_fault_has_a_loss_of_its_own():
    truth = heldout_views(0, 4, 3, (56, 42), CPU)
    right = as_predicted(truth)
    turned = right.T_world_camera.clone()
    turned[:, 1:] = turned[:, 1:].roll(1, 1)
    wrong = views_losses(replace(right, T_world_camera=turned), truth, 0.2)
    assert wrong["cameras"] > 0.1 and wrong["points"] > 0.05
    wrong = views_losses(replace(right, depth=right.depth.flip(-1)), truth, 0.2)
    assert wrong["depth"] > 0.05 and wrong["points"] > 0.05
    wrong = views_losses(replace(right, rays=right.rays.flip(3)), truth, 0.2)
    assert wrong["rays"] > 0.1 and wrong["cameras"] < 2e-3


def test_held_out_errors_are_shares_of_the_distance():
    truth = heldout_views(0, 4, 3, (56, 42), CPU)
    points = predicted_points(as_predicted(truth, 3.0))
    right = point_errors(points, truth, "held_point")
    assert all(values.max() < 1e-3 for values in right.values())
    sideways = torch.stack((points[..., 1], -points[..., 0], points[..., 2]), -1)
    off = point_errors(sideways, truth, "held_point")
    assert all(values.median() > 0.1 for values in off.values())


def test_a_run_goes_on_to_the_bit_and_its_weights_are_an_engine(config, tmp_path):
    settings = read_config(config)
    Trainer(settings, ALONE, tmp_path / "whole").run()
    steps = iter([False, True])
    Trainer(settings, ALONE, tmp_path / "part").run(stopped=lambda: next(steps))
    Trainer(settings, ALONE, tmp_path / "part", tmp_path / "part").run()
    a, b = (load_state(tmp_path / name)["objective"] for name in ("whole", "part"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    row = read_rows(tmp_path / "whole")[-1]
    errors = ("held_point_a", "held_point_b", "held_rotation_deg", "held_focal", "mean_point_a")
    assert all(math.isfinite(float(row[name])) for name in errors)

    network = load_network(tmp_path / "whole" / "weights.safetensors")
    assert isinstance(network, AnyViewNetwork)
    engine = ViewsEngine(network)
    assert engine.info.image_size == 56
    images = np.random.default_rng(0).integers(0, 255, (3, 42, 56, 3), np.uint8)
    views = engine.encode([Frame(image, stamp) for stamp, image in enumerate(images)])
    assert len(engine.decode_window(views, Outputs()).views) == 3


def test_weights_go_on_in_another_run_and_foreign_ones_are_refused(config, tmp_path):
    train(Request(config, tmp_path / "a", device="cpu"))
    weights = tmp_path / "a" / "weights.safetensors"
    changes = [f"init={weights}", "views.network=null", "optimization.frozen=[backbone.]"]
    tuned = Trainer(read_config(config, changes), ALONE, tmp_path / "b")
    kept = {name: value.clone() for name, value in tuned.objective.network.state_dict().items()}
    tuned.run(stopped=lambda: True)
    for name, value in tuned.objective.network.state_dict().items():
        moved = not torch.equal(value, kept[name])
        assert not (moved and name.startswith("backbone."))
        assert moved or name.startswith("backbone.") or value.ndim == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("views=null", "needed for objective views"),
        ("views.counts=[1]", "each must be 2 to 7"),
        ("views.network=null", "views.network: needed"),
    ],
)
def test_slips_are_named(config, change, words):
    with pytest.raises(ValueError, match=words):
        read_config(config, [change])


def test_ablations_are_of_pairs(config, tmp_path):
    with pytest.raises(ValueError, match="measured, not views"):
        next(ablate(read_config(config), 4, tmp_path, "cpu"))


@pytest.mark.slow
def test_a_minute_of_training_beats_the_mean_pointmap(config, tmp_path):
    changes = (
        "phases.0.pairs=2400", "phases.0.batch=16", "phases.0.chunk=4", "phases.0.echo=4",
        "phases.0.warmup=160", "views.rays=0", "evaluation.pairs=64", "evaluation.batch=64",
    )  # fmt: skip
    train(Request(config, tmp_path / "run", changes=changes, device="cpu"))
    row = {name: float(value) for name, value in read_rows(tmp_path / "run")[-1].items() if value}
    assert row["held_point_a"] < row["mean_point_a"]
    assert row["held_point_b"] < row["mean_point_b"]
