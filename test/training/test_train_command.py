# SPDX-License-Identifier: Apache-2.0
"""If this fails, `dens3r train` does not train, or answers a slip with a traceback."""

import pytest
import yaml
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.training.ablation import VARIANTS, ablate, run_variant, shortened
from dens3r_ros.training.config_reader import read_config

SIZE = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 32}
PHASE = {"sizes": [[32, 24]], "pairs": 2, "batch": 2, "lr": 1e-2, "lr_end": 1e-3}
LOSSES = {"matching": 0.2, "normals": 0.3, "canonical": 0.5, "pointmap_normals": 0.1}
RUN = {
    "network": {
        "family": "dens3r", "encoder": SIZE, "decoder": SIZE, "patch": 8, "head": "linear",
        "shared_decoder": True, "normals": True, "descriptors": {"dim": 4, "mlp_width": 16},
    },
    "phases": [PHASE, {**PHASE, "sizes": [[40, 32]], "losses": LOSSES}],
    "matching": {"count": 16},
    "evaluation": {"pairs": 2, "batch": 2, "pictures": 1},
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(RUN))
    return path


def call(*words):
    return CliRunner().invoke(app, ["train", *map(str, words)])


def test_a_configuration_is_trained_and_goes_on(config, tmp_path):
    done = call("--config", config, "--out", tmp_path / "out", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "pairs 4" in done.output and (tmp_path / "out/weights.safetensors").is_file()
    again = call("--config", config, "--out", tmp_path / "out")
    assert again.exit_code == 2 and "--resume" in again.output
    for out in ((), ("--out", tmp_path / "out2")):
        nothing = call("--config", config, "--resume", tmp_path / "none", *out)
        assert nothing.exit_code == 2 and "none" in nothing.output, nothing.output
        assert not (tmp_path / "none").exists()


def test_a_run_goes_on_by_its_own_configuration(config, tmp_path):
    """Weeks later nobody knows which file and which changes a run was begun with."""
    run = tmp_path / "run"
    begun = call("--config", config, "--out", run, "--device", "cpu", "--set", "phases.0.pairs=4")
    assert begun.exit_code == 0, begun.output
    assert read_config(run / "config.yaml").phases[0].pairs == 4
    config.unlink()
    done = call("--resume", run, "--device", "cpu")
    assert done.exit_code == 0 and str(run) in done.output, done.output
    (run / "config.yaml").unlink()
    for folder in (run, tmp_path / "none"):
        lost = call("--resume", folder)
        assert lost.exit_code == 2 and "--config FILE" in lost.output, lost.output


def test_one_command_begins_a_run_and_goes_on_with_it(config, tmp_path):
    words = ("--config", config, "--resume", tmp_path / "a", "--out", tmp_path / "a")
    for _ in range(2):
        done = call(*words, "--device", "cpu")
        assert done.exit_code == 0, done.output


def test_slips_are_told_in_a_sentence(config, tmp_path):
    assert "error:" in call("--config", tmp_path / "none.yaml").output
    assert "unknown key" in call("--config", config, "--set", "lr=1").output
    assert "--config" in call().output


def test_an_ablation_goes_on_where_it_was(config, tmp_path):
    settings, seconds = shortened(read_config(config), 4), []
    for _ in range(2):
        outcomes = list(ablate(read_config(config), 4, tmp_path, "cpu"))
        assert [outcome.name for outcome in outcomes] == ["the mean pointmap", *VARIANTS]
        assert "held_match_4px" not in outcomes[-1].errors
        seconds.append([outcome.seconds for outcome in outcomes])
    assert seconds[0] == seconds[1]
    assert not run_variant("whole recipe", settings, tmp_path / "other", stopped=lambda: True)
    assert run_variant("whole recipe", settings, tmp_path / "other")


def test_ablations_leave_out_one_part_each(config):
    settings = shortened(read_config(config), 400)
    assert settings.total_pairs == 400
    made = {name: change(settings) for name, change in VARIANTS.items()}
    assert made["whole recipe"] == settings
    assert made["without coarse to fine"].phases[0].sizes == ((40, 32),)
    last = {name: run.phases[-1].losses for name, run in made.items()}
    assert last["without matching"].matching == 0 and last["without matching"].normals == 0.3
    assert last["without normals"].normals == last["without normals"].pointmap_normals == 0
    assert last["without intrinsic-invariant training"].canonical == 0
