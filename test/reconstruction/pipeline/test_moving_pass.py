# SPDX-License-Identifier: Apache-2.0
"""If these fail, what moves stays in a model that was asked to leave it out, or hours of looking
for it are done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import small_network

from dens3r_ros.engines.moving.second_pass import MaskedAttention
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.reconstruction.kept.mapped import RunTally
from dens3r_ros.reconstruction.pipeline.moving import FirstPass, StoppedLooking
from dens3r_ros.reconstruction.pipeline.options import Options, Picks
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.sources.inputs.input import SourceInput


class Noise:
    """Six images of which every second is taken."""

    name = "noise"

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Frame:
        image = np.random.default_rng(index).integers(0, 256, (96, 128, 3), np.uint8)
        return Frame(image, index * 10**8)

    def truth(self, index: int) -> None:
        return None


def first_pass(folder: Path, stop: StopRequest | None = None) -> FirstPass:
    options = Options(folder, picks=Picks(every=2), moving="attention")
    kept = folder / "moving.npz"
    return FirstPass([SourceInput(Noise())], options, stop or StopRequest(), kept)


def test_a_run_that_goes_on_does_not_look_again(tmp_path: Path) -> None:
    engine, tally, told = TorchEngine(small_network(), TorchConfig("cpu", "fp32")), RunTally(), []

    def tell(*progress: Any) -> None:
        told.append(progress)

    second = first_pass(tmp_path).second(engine, tally, tell)
    assert isinstance(second, MaskedAttention) and len(told) == 6
    assert "of the pixels move by attention" in tally.notes[0]
    first_pass(tmp_path).second(engine, tally, tell)
    assert len(told) == 6 and tally.notes[1] == tally.notes[0]


def test_stopping_ends_it_and_leaves_no_half_of_the_masks(tmp_path: Path) -> None:
    engine, stop = TorchEngine(small_network(), TorchConfig("cpu", "fp32")), StopRequest()
    stop.asked = 1
    with pytest.raises(StoppedLooking, match="begin anew"):
        first_pass(tmp_path, stop).second(engine, RunTally(), lambda *progress: None)
    assert not (tmp_path / "moving.npz").exists()
