# SPDX-License-Identifier: Apache-2.0
"""If these fail, whoever chooses a JPEG quality is told too little or too much of what it costs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'dens3r_ros[remote]'")

from networks import small_network

from dens3r_ros.engines.bench.pictures import bench_pictures
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEngine
from dens3r_ros.frame import Frame


def test_less_quality_changes_more() -> None:
    engine = TorchEngine(small_network(), TorchConfig("cpu", "fp32"), "small")
    noise = np.random.default_rng(3).integers(0, 256, (2, 24, 32, 3), np.uint8)
    a, b = (Frame(image.repeat(10, 0).repeat(10, 1), n) for n, image in enumerate(noise))
    told: list[str] = []
    figures = bench_pictures(engine, engine.sizing, [(a, b)], told.append)
    assert told[0] == "png" and figures["png_points_percent"] == 0
    assert 0 < figures["jpeg_95_points_percent"] < figures["jpeg_50_points_percent"]
    assert figures["jpeg_90_points_percent"] <= figures["jpeg_90_points_worst_percent"]
    assert figures["jpeg_95_kb"] > figures["jpeg_50_kb"] > 0
