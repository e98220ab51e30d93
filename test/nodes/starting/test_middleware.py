# SPDX-License-Identifier: Apache-2.0
"""If these fail, processes of ours lose large messages, or take settings away from their user."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dens3r_ros.nodes.starting.middleware import LARGE_MESSAGES, tuned_environment

ROOT = Path(__file__).parents[3]
NEW, OLD = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"


@pytest.mark.parametrize(("distro", "name"), [("jazzy", OLD), ("kilted", NEW), ("", NEW)])
def test_each_fast_dds_is_told_of_the_profile_by_its_own_name(distro: str, name: str) -> None:
    tuned = tuned_environment({"ROS_DISTRO": distro})
    assert Path(tuned[name]).is_file() and len({NEW, OLD} & set(tuned)) == 1


@pytest.mark.parametrize("name", [NEW, OLD])
def test_what_a_user_has_set_stays(name: str) -> None:
    own = {name: "/mine.xml", "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4", "OMP_NUM_THREADS": "7"}
    assert tuned_environment(own) == LARGE_MESSAGES | own


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (16, "15"), (None, "1")])
def test_a_core_is_left_to_others(
    cores: int | None, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the node all but stops while anything else needs a core."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert tuned_environment({})["OMP_NUM_THREADS"] == threads


def test_the_profile_adds_shared_memory_for_a_whole_frame() -> None:
    profile = ElementTree.parse(ROOT / "config" / "fastdds.xml")
    sizes = [int(e.text or 0) for e in profile.iter() if e.tag.endswith("}segment_size")]
    a_frame = 512 * 384 * (4 + 4 + 12 + 3 + 36)
    assert sizes and a_frame < sizes[0] < (64 << 20) / 3


def test_the_activate_script_sets_the_same() -> None:
    text = (ROOT / "scripts" / "activate").read_text()
    for name, value in LARGE_MESSAGES.items():
        assert f'{name}="${{{name}:-{value}}}"' in text
    assert "config/fastdds.xml" in text
