# SPDX-License-Identifier: Apache-2.0
"""Settings of DDS and the allocator without which large messages are lost or slow."""

from __future__ import annotations

from collections.abc import Mapping

LARGE_MESSAGES = {
    "FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA",
    "MALLOC_MMAP_THRESHOLD_": "536870912",
    "MALLOC_TRIM_THRESHOLD_": "536870912",
}
"""Fast DDS's transport for messages of megabytes; glibc that keeps big blocks for reuse."""


def tuned_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a process of ours; what somebody has set already stays."""
    return LARGE_MESSAGES | dict(environment)
