# SPDX-License-Identifier: Apache-2.0
"""What published checkpoints call the tensors of a `Fusion`, and what they are called here."""

from __future__ import annotations

import re


def own_fusion_name(key: str) -> str:
    """Our name within a head for a tensor that checkpoints call `key` within theirs."""
    key = re.sub(r"^scratch\.layer(\d)_rn", _project, key)
    key = re.sub(r"^scratch\.refinenet(\d)\b", _fuse, key)
    return key.replace("resConfUnit1", "unit_finer").replace("resConfUnit2", "unit")


def _project(match: re.Match[str]) -> str:
    return f"fusion.project.{int(match[1]) - 1}"


def _fuse(match: re.Match[str]) -> str:
    return f"fusion.fuse.{int(match[1]) - 1}"
