# SPDX-License-Identifier: Apache-2.0
"""If these fail, one file of weights in a few hundred is taken for something that it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dens3r_ros.network.checkpoints.sniff import kind_of


@pytest.mark.parametrize("first", [b"\x80", b"P", b"\x08"])
def test_a_header_of_any_length_is_one_of_safetensors(tmp_path: Path, first: bytes) -> None:
    """The first byte of such a file counts how long its header is."""
    path = tmp_path / "own.safetensors"
    for more in range(0, 4096, 8):
        save_file({"a": torch.zeros(1)}, path, {"text": "pytorch " * (more // 8)})
        if path.read_bytes()[:1] == first:
            break
    assert path.read_bytes()[:1] == first
    assert kind_of(path) == "safetensors"


def test_what_torch_saved_long_ago_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)
    assert kind_of(path) == "torch"
