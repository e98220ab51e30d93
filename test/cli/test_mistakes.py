# SPDX-License-Identifier: Apache-2.0
"""If these fail, a slip costs a person the minutes until it is found out, or a traceback."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dens3r_ros.cli.common import progress
from dens3r_ros.cli.common.size import Size, parsed_size
from dens3r_ros.cli.main import app
from dens3r_ros.nodes.settings.parameter_file import read_parameters

PAIRS = ("evaluate", "pairs", "--seeds", "0:1", "--size", "64x48", "--engine", "constant")


def dens3r(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whatever takes long must not have begun."""
    if "works" in request.keywords:
        return
    for name in (
        "dens3r_ros.evaluation.image_pairs.scoring.evaluate_pairs",
        "dens3r_ros.evaluation.places.evaluate_places",
        "dens3r_ros.evaluation.bench_mapping.bench_mapping",
        "dens3r_ros.engines.loading.load_named_network",
        "dens3r_ros.training.trainer.Trainer.__init__",
    ):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("work began"))


def refused(result: Any, *words: str) -> None:
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.output
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    "command",
    [
        PAIRS,
        ("evaluate", "sequences", "procedural:loop?frames=2"),
        ("evaluate", "places", "procedural:loop?frames=2"),
        ("bench", "mapping"),
        ("bench", "pair"),
        ("map", "info", "some.map"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("target", "words"), [("no folder/a.json", "does not exist"), ("/proc/a.json", "/proc")]
)
def test_json_that_cannot_be_written_is_told_first(command, target, words, tmp_path) -> None:
    path = target if target.startswith("/") else tmp_path / target
    refused(dens3r(*command, "--json", path), words)


@pytest.mark.parametrize(
    "command",
    [
        ("demo", "--out"),
        ("evaluate", "sequences", "procedural:loop?frames=2", "--plots"),
        ("export", "--model", "random:dust3r-512-dpt", "--out"),
        ("render", "procedural:loop?frames=2"),
    ],
    ids=" ".join,
)
def test_a_folder_that_cannot_be_written_is_told_first(command) -> None:
    refused(dens3r(*command, "/proc/results/here.mp4"), "/proc/results")


def test_training_that_cannot_be_kept_is_told_first(tmp_path) -> None:
    config = "config/training/tiny-cpu.yaml"
    result = dens3r("train", "--config", config, "--out", "/proc/run")
    refused(result, "/proc/run")
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [("train",), ("demo",)], ids=" ".join)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"\x00\xff\xfe\x80", "no text"),
        (b"{a: [", "no YAML"),
        (b"hello", ""),
    ],
)
def test_a_configuration_that_is_none_is_told(command, content, words, tmp_path) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    refused(dens3r(*command, "--config", path, "--out", tmp_path / "out"), "a.yaml", words)
    refused(dens3r(*command, "--config", tmp_path, "--out", tmp_path / "out"), "directory")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/**: {ros__parameters: {engine: {model_: x}}}", "did you mean 'engine.model'?"),
        ("dens3r: {ros__parameters: {input.policy: sometimes}}", "none of latest, every"),
        ("dens3r: {ros__parameters: {output.map_rate: fast}}", "expected float, found 'fast'"),
        ("camera: {ros__parameters: {rate: 3}}", "no parameters for dens3r"),
        ("dens3r: {engine: {name: geometric}}", "below ros__parameters"),
    ],
)
def test_parameters_that_the_node_would_refuse_are_told(text, words, tmp_path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    refused(dens3r("demo", "--config", path, "--out", tmp_path / "out"), words, "robot.yaml")
    assert not (tmp_path / "out").exists()


def test_whole_numbers_and_settings_of_ros_are_no_mistakes(tmp_path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("/**: {ros__parameters: {use_sim_time: true, output: {map_rate: 2}}}")
    assert read_parameters(path).output.map_rate == 2.0


def test_a_gpu_that_is_not_there_is_told_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    path = tmp_path / "gpu.yaml"
    path.write_text("/**: {ros__parameters: {engine.device: cuda}}")
    refused(dens3r("demo", "--config", path, "--out", tmp_path), "sees no CUDA device")
    refused(dens3r("bench", "pair", "--device", "cuda"), "sees no CUDA device")
    refused(dens3r("bench", "pair", "--precision", "int4"), "is not one of")
    training = ("train", "--config", "config/training/tiny-cpu.yaml", "--out", tmp_path / "run")
    refused(dens3r(*training, "--device", "cuda"), "sees no CUDA device")


def test_a_source_or_a_model_that_is_not_there_is_told_before_the_demo(tmp_path) -> None:
    refused(dens3r("demo", "--source", tmp_path / "none", "--out", tmp_path), "none")
    named = ("--engine", "torch", "--model", "mastr-512")
    refused(dens3r("demo", *named, "--out", tmp_path), "mast3r-512")


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "pair"),
        ("bench", "mapping"),
        ("bench", "node"),
        ("evaluate", "pairs", "--seeds", "0:1"),
        ("export", "--model", "x", "--out", "y"),
        ("train", "preview"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("size", ["big", "640", "640x", "1x1", "640x480x3", "-4x4", "99999x9"])
def test_every_size_is_read_alike(command, size) -> None:
    result = dens3r(*command, "--size", size)
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2 and "--size" in said and size in said


def test_sizes_are_width_first() -> None:
    assert parsed_size("640X480") == Size(640, 480) and str(Size(640, 480)) == "640x480"
    assert Size(640, 480).rows_first == (480, 640)
    with pytest.raises(typer.BadParameter):
        parsed_size("640,480")


@pytest.mark.works
def test_a_log_hears_of_long_work_from_time_to_time(monkeypatch) -> None:
    """Someone who waits for hours must see that something happens."""
    monkeypatch.setattr(progress, "FIRST_S", 0.001)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    result = dens3r(*PAIRS[:3], "0:12", *PAIRS[4:], "--json", "-")
    assert result.exit_code == 0, result.output
    assert " of 12, " in result.stderr and "{" not in result.stderr
    assert result.stdout.startswith("{")


@pytest.mark.works
def test_work_that_is_over_at_once_says_nothing(monkeypatch) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 600.0)
    with progress.following("a moment") as tell:
        tell(1, 2)
    result = dens3r(*PAIRS, "--json", "-")
    assert result.exit_code == 0 and result.stderr == "", result.stderr


def test_a_mistyped_address_is_told_before_images_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "dens3r_ros.sources.open_source", lambda *_: pytest.fail("images were drawn")
    )
    refused(dens3r("bench", "fleet", "--address", "127.0.0.1:8001"), "grpc://host:port")
