# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with files of weights."""

from __future__ import annotations

from pathlib import Path

EXPECTED = (
    "an official .pth, .pt or .safetensors, a Hugging Face folder (config.json and "
    "model.safetensors), "
    "or a .safetensors written by save_network"
)


class WeightsError(ValueError):
    """A file cannot be loaded as a network; the message says what it is and what was expected."""


def wrong_file(path: Path, seems: str, expected: str = EXPECTED) -> WeightsError:
    """The error for a file that is something else."""
    return WeightsError(f"{path}: seems to be {seems}; expected {expected}.")
