# SPDX-License-Identifier: Apache-2.0
"""If this fails, docs/how/network.md promises less memory for large images than they take.

What a pair needs beside the weights does not depend on depth, because only the layers that heads
read are kept: so networks of the published widths but few layers measure it.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from available_memory import skip_below_need

# Bytes per pixel of one image, as docs/how/network.md states them.
PER_PIXEL = {"points": 2300, "all": 2500}

PROGRAM = """
import re, sys
from pathlib import Path
import torch
from dens3r_ros.network import DescriptorSize, Network, NetworkDescription, TransformerSize

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

outputs, width = sys.argv[1], int(sys.argv[2])
description = NetworkDescription(
    "dens3r",
    TransformerSize(1024, 1, 16, 4096),
    TransformerSize(768, 3, 12, 3072),
    rope_grid=32,
    shared_decoder=True,
    hooks=(0, 1, 2, 3),
    descriptors=DescriptorSize() if outputs == "all" else None,
    normals=outputs == "all",
)
network = Network(description).eval()
with torch.inference_mode():
    network(torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64))
    before = peak()
    network(*torch.rand(2, 1, 3, width * 3 // 4, width))
print((peak() - before) / (width * width * 3 // 4))
"""


def bytes_per_pixel(outputs: str, width: int) -> float:
    command = [sys.executable, "-c", PROGRAM, outputs, str(width)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.fullsize
@pytest.mark.parametrize("outputs", ["points", "all"])
def test_memory_grows_with_the_number_of_pixels_and_no_faster(outputs: str) -> None:
    skip_below_need()
    measured = {width: bytes_per_pixel(outputs, width) for width in (512, 768)}
    for width, amount in measured.items():
        print(f"{outputs} at {width}x{width * 3 // 4}: {amount:.0f} bytes per pixel")
        assert amount <= PER_PIXEL[outputs]
    print(f"{outputs} at 2048x1536, computed: {measured[768] * 2048 * 1536 / 2**30:.1f} GiB")
