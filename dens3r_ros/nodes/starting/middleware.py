# SPDX-License-Identifier: Apache-2.0
"""Settings of DDS, the allocator and threads without which large messages are lost or slow."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

from dens3r_ros.resources import resource_dir

# Older glibc refuses more than 32 MiB as the size from which blocks are mapped one by one.
_MAPPED_FROM, _TRIMMED_FROM = 1 << 25, 1 << 29
LARGE_MESSAGES = {
    "FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA",
    "MALLOC_MMAP_THRESHOLD_": str(_MAPPED_FROM),
    "MALLOC_TRIM_THRESHOLD_": str(_TRIMMED_FROM),
}
"""Fast DDS's transport for messages of megabytes; glibc that keeps big blocks for reuse."""
_PROFILE, _OLD_PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
_WITH_FAST_DDS_2 = ("humble", "iron", "jazzy")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def tuned_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a process of ours; what somebody has set already stays."""
    return LARGE_MESSAGES | _threads() | _profile(environment) | dict(environment)


def tune_this_process() -> None:
    """The same for a process that runs already; DDS reads its part when a node is made."""
    mapped = os.environ.get("MALLOC_MMAP_THRESHOLD_")
    os.environ.update(tuned_environment(os.environ))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and mapped is None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _TRIMMED_FROM)


def _threads() -> dict[str, str]:
    """One core is left to cameras, DDS and the solver: OpenMP's threads wait for the slowest of
    them, so that one that has to share its core holds up all."""
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) - 1))}


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    if environment.get(_PROFILE) or environment.get(_OLD_PROFILE):
        return {}
    old = environment.get("ROS_DISTRO") in _WITH_FAST_DDS_2
    return {_OLD_PROFILE if old else _PROFILE: str(resource_dir("config") / "fastdds.xml")}
