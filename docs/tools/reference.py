# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/*.md from the code: `python docs/tools/reference.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import command_line
import interfaces
import launch_arguments
import log_messages
import parameters

FOLDER = Path(__file__).parents[1] / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "parameters.md": parameters.page,
    "messages.md": interfaces.page,
    "launch.md": launch_arguments.page,
    "cli.md": command_line.page,
    "log_messages.md": log_messages.page,
}


def stale() -> list[str]:
    """Names of the pages that are not what the code says today."""
    return [
        name
        for name, page in PAGES.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text() != page()
    ]


def main() -> int:
    """Write the pages, or only say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if one is stale"
    )
    found = stale()
    if parser.parse_args().check:
        print("\n".join(f"docs/reference/{name} is stale" for name in found) or "all as the code")
        return int(bool(found))
    FOLDER.mkdir(exist_ok=True)
    for name in found:
        (FOLDER / name).write_text(PAGES[name]())
        print(f"docs/reference/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
