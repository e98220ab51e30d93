# SPDX-License-Identifier: Apache-2.0
"""A bug report names a version; if these differ, nobody knows which code it is about."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parents[2]


def find(pattern: str, file: str) -> str:
    match = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert match, f"{file} states no version"
    return match[1]


def test_every_place_states_the_same_version() -> None:
    stated = {
        "pyproject.toml": find(r'^version = "(.+)"$', "pyproject.toml"),
        "CHANGELOG.rst": find(r"^(\d+\.\d+\.\d+) \(", "CHANGELOG.rst"),
        "package.xml": ElementTree.parse(ROOT / "package.xml").findtext("version"),
    }
    assert len(set(stated.values())) == 1, stated
