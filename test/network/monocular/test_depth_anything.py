# SPDX-License-Identifier: Apache-2.0
"""If these fail, Depth Anything 3 for one image gives other depth or sky than it was trained to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from published_views import ABSENT, FIXTURES, Published, cases_of, error, thinned

from dens3r_ros.network.monocular.depth_anything import metres
from dens3r_ros.network.monocular.sky import fill_sky, is_sky

TOLERANCE = 1e-4
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


def check_outputs(fixture: Published, case: str) -> None:
    with torch.inference_mode():
        prediction = fixture.network(fixture.images(case)[0])
    references = fixture.references(case)
    assert references.keys() == {"depth_raw", "sky", "depth"}
    errors = {
        name: error(thinned(getattr(prediction, name), how), reference)
        for name, (reference, how) in references.items()
    }
    print(case, {key: f"{value:.1e}" for key, value in errors.items()})
    assert max(errors.values()) <= TOLERANCE, errors


@needs_fixtures
@pytest.mark.parametrize(("name", "case"), cases_of("da3_metric_or_mono_small"))
def test_outputs(published: Callable[[str], Published], name: str, case: str) -> None:
    check_outputs(published(name), case)


@needs_fixtures
@pytest.mark.fullsize
@pytest.mark.parametrize(("name", "case"), cases_of("da3mono_large_fullsize_recipe_s13"))
def test_outputs_at_full_size(published: Callable[[str], Published], name: str, case: str) -> None:
    check_outputs(published(name), case)


@needs_fixtures
@pytest.mark.parametrize(("case", "block"), [("one_land", 7)])
def test_what_the_head_reads(published: Callable[[str], Published], case: str, block: int) -> None:
    fixture = published("da3_metric_or_mono_small")
    read: list[torch.Tensor] = []
    handle = fixture.network.backbone.norm.register_forward_hook(
        lambda module, inputs, output: read.append(output[:, 1:])
    )
    with torch.inference_mode():
        fixture.network(fixture.images(case)[0])
    handle.remove()
    stored = fixture.references(case, "inter")
    assert error(read[0], stored["feat0"][0]) <= TOLERANCE
    assert error(read[3], stored["feat3"][0]) <= TOLERANCE


def test_sky_is_put_behind_all_but_a_hundredth() -> None:
    depth = torch.arange(1.0, 101.0).reshape(1, 10, 10)
    sky = torch.zeros(1, 10, 10)
    sky[0, :2] = 0.3
    filled = fill_sky(depth, sky)
    assert torch.equal(filled[0, 2:], depth[0, 2:])
    expected = torch.quantile(torch.arange(21.0, 101.0), 0.99)
    assert torch.equal(filled[0, :2], expected.expand(2, 10))


@pytest.mark.parametrize("filled", [10, 90])
def test_a_few_pixels_are_no_sky_and_no_ground(filled: int) -> None:
    depth, sky = torch.rand(1, 10, 10), torch.zeros(100)
    sky[:filled] = 1.0
    assert torch.equal(fill_sky(depth, sky.reshape(1, 10, 10)), depth)


def test_called_sky_later_than_filled() -> None:
    assert is_sky(torch.tensor([0.3, 0.5])).tolist() == [False, True]


def test_metres_grow_with_the_focal_length() -> None:
    depth = torch.ones(2, 3, 4)
    found = metres(depth, torch.tensor([300.0, 450.0]))
    assert found[0].eq(1.0).all() and found[1].eq(1.5).all()
