# SPDX-License-Identifier: Apache-2.0
"""If these fail, a slip in a training file costs a night, or an ablation changes nothing."""

import itertools
from pathlib import Path

import pytest

from dens3r_ros.training.config_reader import read_config
from dens3r_ros.training.optimization.schedule import Schedule

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
network:
  family: dens3r
  encoder: {width: 16, depth: 1, heads: 2, mlp_width: 32}
  decoder: {width: 16, depth: 1, heads: 2, mlp_width: 32}
  head: linear
phases:
  - {sizes: [[32, 32]], pairs: 40, batch: 4, lr: 1e-3, lr_end: 0, warmup: 8}
  - {sizes: [[64, 48], [48, 64]], pairs: 9, batch: 2, lr: 1.0e-4, lr_end: 1.0e-4,
     losses: {normals: 0.5}}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_values_arrive_and_others_keep_their_defaults(small):
    config = read_config(small)
    assert config.network.encoder.width == 16 and config.network.patch == 16
    assert config.phases[0].lr == 1e-3 and config.phases[1].losses.normals == 0.5
    assert config.phases[1].losses.points == 1.0 and config.optimization.method == "adamw"


def test_changes_reach_one_phase_or_all(small):
    config = read_config(small, ["phases.*.losses.matching=0.25", "phases.1.batch=3", "ema=0.5"])
    assert [phase.losses.matching for phase in config.phases] == [0.25, 0.25]
    assert [phase.batch for phase in config.phases] == [4, 3] and config.ema == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("phases.0.loses.normals=1", "losses"),
        ("emma=1", "did you mean ema"),
        ("phases.7.batch=1", "no place in a list of 2"),
        ("phases.0.batch=many", "expected int"),
        ("precision=half", "none of auto"),
        ("phases.0.sizes=[[3]]", "expected 2 values"),
        ("phases=[]", "at least one"),
        ("ema", "expected KEY=VALUE"),
        ("motion=2", "a share of pairs, from 0 to 1"),
    ],
)
def test_slips_are_named(small, change, words):
    with pytest.raises(ValueError, match=words):
        read_config(small, [change])


def test_phases_follow_one_another(small):
    schedule = Schedule(read_config(small))
    assert schedule.steps == 10 + 4
    assert [schedule.at(step).phase for step in (0, 9, 10, 13)] == [0, 0, 1, 1]
    assert [schedule.at(step).size for step in (9, 10, 11)] == [(32, 32), (64, 48), (48, 64)]
    assert [schedule.at(step).first_pair for step in (0, 9, 10, 13)] == [0, 36, 40, 46]
    assert [schedule.pairs_before(step) for step in (0, 10, 14)] == [0, 40, 48]
    with pytest.raises(IndexError, match="14 steps"):
        schedule.at(14)


def test_the_learning_rate_rises_then_falls_along_a_cosine(small):
    schedule = Schedule(read_config(small))
    rates = [schedule.at(step).lr for step in range(10)]
    # warm-up over 8 pairs in steps of 4: 4 / 12, 8 / 12, then from the peak down
    assert rates[:3] == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3])
    # after 16 of 32 pairs: half way down
    assert rates[6] == pytest.approx(0.5e-3)
    assert all(a > b > 0 for a, b in itertools.pairwise(rates[2:]))


@pytest.mark.parametrize("path", sorted((ROOT / "config/training").glob("*.yaml")), ids=str)
def test_the_configurations_that_ship_are_whole(path):
    assert Schedule(read_config(path)).steps > 0
