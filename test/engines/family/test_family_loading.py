# SPDX-License-Identifier: Apache-2.0
"""If these fail, a checkpoint of the family does not run, or fails without saying why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dens3r_ros.engines.family.mvdust3r import MvDust3rEngine
from dens3r_ros.engines.family.spann3r import Spann3REngine
from dens3r_ros.engines.loading import load_engine
from dens3r_ros.model_store.manifest import ModelError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("spann3r", Spann3REngine), ("mvdust3r", MvDust3rEngine), ("mvdust3r+", MvDust3rEngine)],
)
def test_a_file_runs_as_what_it_is(
    checkpoint: Callable[[str], Path], name: str, kind: type
) -> None:
    engine = load_engine("auto", str(checkpoint(name)), device="cpu")
    assert isinstance(engine, kind) and engine.info.model == name


def test_a_network_of_relative_poses_maps_nothing(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="relative poses"):
        load_engine("torch", str(checkpoint("reloc3r")), device="cpu")
