# SPDX-License-Identifier: Apache-2.0
"""If these fail, a network says that it gives what it does not, or hides what it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dens3r_ros.evaluation.parity.fixture import Fixture, images
from dens3r_ros.evaluation.parity.networks.pairwise import FIELDS, load

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
NAMES = (
    "dust3r_linear_small",
    "dust3r_dpt_small",
    "mast3r_small",
    "dens3r_unify_small",
    "dens3r_normal_small",
)

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_given_beside_what_published_networks_give(name: str) -> None:
    """What the numbers are is held by test/evaluation/parity."""
    fixture = Fixture(FIXTURES / f"{name}.npz")
    case = fixture.folders("case/")[0]
    pair = [images(fixture.array(f"case/{case}/img{view}_u8")[None]) for view in (1, 2)]
    with torch.inference_mode():
        prediction = load(fixture)(*pair)
    given = {key for key, value in vars(prediction).items() if value is not None}
    published = (name.split("/") for name in fixture.under(f"case/{case}/out"))
    assert given == {f"{FIELDS[kind]}_{' ab'[int(view)]}" for view, kind in published}
