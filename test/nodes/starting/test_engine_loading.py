# SPDX-License-Identifier: Apache-2.0
"""If these fail, the first images after activation wait for what could have been done before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dens3r_ros.nodes.settings.config import EngineParameters
from dens3r_ros.nodes.starting.engine_loading import EngineUnavailable, begin_loading

ENGINES = """
class Cold:
    info = None
    def encode(self, frames): return []
    def decode(self, pairs, outputs): return None

class Warming(Cold):
    warmed = 0
    def warm_up(self): self.warmed += 1

class Failing(Warming):
    def warm_up(self): raise RuntimeError("out of memory for 1 image of 640x480")
"""


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "engines_that_warm_up"
    (tmp_path / f"{name}.py").write_text(ENGINES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_an_engine_is_warmed_up_once_before_it_is_used(engines: str) -> None:
    engine = begin_loading(EngineParameters(name=f"{engines}:Warming")).result(60)
    assert engine.warmed == 1


def test_an_engine_that_needs_no_warming_is_loaded_all_the_same(engines: str) -> None:
    engine = begin_loading(EngineParameters(name=f"{engines}:Cold")).result(60)
    assert type(engine).__name__ == "Cold"


def test_what_fails_while_warming_up_is_said_at_configure(engines: str) -> None:
    with pytest.raises(EngineUnavailable, match="out of memory for 1 image"):
        begin_loading(EngineParameters(name=f"{engines}:Failing")).result(60)
