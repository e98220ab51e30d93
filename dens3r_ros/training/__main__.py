# SPDX-License-Identifier: Apache-2.0
"""`python -m dens3r_ros.training`: train with nothing but torch, numpy, safetensors and PyYAML."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dens3r_ros.training.entry import Request, train
from dens3r_ros.training.journal import spoken
from dens3r_ros.training.trainer import Progress


def main() -> int:
    """Exit status 0 when the run ended well, by itself or by Ctrl-C."""
    try:
        train(_request(), _speak)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _request() -> Request:
    parser = argparse.ArgumentParser(
        prog="python -m dens3r_ros.training",
        description="Train a network on rendered pairs. With several GPUs: torchrun "
        "--nproc-per-node N -m dens3r_ros.training ...",
    )
    add = parser.add_argument
    add("--config", type=Path, required=True, help="the run, e.g. config/training/tiny.yaml")
    add("--out", type=Path, required=True, help="folder for state, weights, log and pictures")
    add(
        "--resume",
        type=Path,
        metavar="DIR",
        help="go on from the state in this folder; "
        "the same as --out: begin there, or go on if the run has begun",
    )
    add("--minutes", type=float, help="stop, with everything saved, before this time is over")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="change the configuration, e.g. phases.*.losses.matching=0")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, help="CPU threads of torch")
    values = vars(parser.parse_args())
    return Request(**{**values, "changes": tuple(values["changes"])})


def _speak(progress: Progress) -> None:
    if progress.row is not None:
        left = 100 * progress.pairs / progress.total_pairs
        print(f"{spoken(progress.row)}  ({left:.1f}% done)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
