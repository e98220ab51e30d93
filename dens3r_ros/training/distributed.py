# SPDX-License-Identifier: Apache-2.0
"""One process, or several started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class ProcessGroup:
    """Who this process is among those that train together."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, total: int) -> range:
        """Which of `total` pairs of a batch are this process's."""
        if total % self.size:
            raise ValueError(f"a batch of {total} cannot be shared by {self.size} processes")
        count = total // self.size
        return range(self.rank * count, (self.rank + 1) * count)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over processes."""
        if self.size == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, ids, find_unused_parameters=True)

    def agree(self, stop: bool) -> bool:
        """Whether any process wants to stop: all stop after the same step."""
        if self.size == 1:
            return stop
        flag = torch.tensor(float(stop), device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)


@contextmanager
def joined_world(device: str) -> Iterator[ProcessGroup]:
    """The processes that torchrun started, or this one alone; `device` auto, cpu or cuda."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device cuda is asked for, but this PyTorch ({torch.__version__}) sees no CUDA device;"
            " use auto or cpu, or install a CUDA build of PyTorch and its driver"
        )
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ProcessGroup(0, 1, torch.device(device))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device(device, local) if device == "cuda" else torch.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size(), place)
        dist.barrier()  # one that left early would take its connections from under the others
    finally:
        dist.destroy_process_group()
