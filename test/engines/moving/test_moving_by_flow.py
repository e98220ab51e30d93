# SPDX-License-Identifier: Apache-2.0
"""If these fail, a person who asks for masks by flow loses what stands and keeps what moves."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.moving.flow import masks_by_flow
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.sources import open_source


def test_masks_by_flow_lie_on_people_and_hardly_on_what_stands() -> None:
    walk = open_source("procedural:crowd?seed=3&frames=60&size=96x64")
    numbers = range(40, 45)
    masks = masks_by_flow(OracleEngine(walk, long_side=96), [walk[n] for n in numbers])
    assert len(masks) == len(numbers)
    found = np.stack([masks.of(walk[n].image) for n in numbers])
    moving = np.stack([walk.truth(n).moving for n in numbers])
    assert found[moving].mean() > 4 * found[~moving].mean()
    assert found[~moving].mean() < 0.1
