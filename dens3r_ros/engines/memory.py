# SPDX-License-Identifier: Apache-2.0
"""Running out of memory: told with sizes, and tried once more with half as much at a time."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


class OutOfMemory(RuntimeError):
    """There is not enough memory even for half of a batch; the message has the sizes."""


def halving(
    work: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    join: Callable[[Result, Result], Result],
    what: str,
    device: torch.device,
) -> Result:
    """`work(items)`; after running out of memory, once more in two halves, joined."""
    try:
        return work(items)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        told = f"out of memory for {len(items)} x {what} on {device} ({memory_of(device)}): {error}"
    if len(items) < 2:
        raise OutOfMemory(f"{told}; use smaller images, or another device")
    logger.warning("%s; trying again with half as many at a time", told)
    _free(device)
    middle = (len(items) + 1) // 2
    try:
        return join(work(items[:middle]), work(items[middle:]))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{told}; half as many at a time did not fit either: use smaller images, fewer pairs,"
            " or another device"
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has a class for it; the CPU's allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def memory_of(device: torch.device) -> str:
    """Free and whole memory, in words."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            sizes = {line.split(":")[0]: int(line.split()[1]) / 2**20 for line in file}
    except OSError:
        return "free memory not known"
    return f"{sizes['MemAvailable']:.1f} of {sizes['MemTotal']:.1f} GiB free"


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
