# SPDX-License-Identifier: Apache-2.0
"""Which errors of an engine a process can go on from."""

from __future__ import annotations

import re

_BROKEN_CONTEXT = re.compile(r"\b(CUDA|CUDNN|cuDNN|HIP) (error|failure)", re.IGNORECASE)


def is_final(error: BaseException) -> bool:
    """Whether the GPU's context is lost, so that every later call of this process fails too.

    Memory that ran out is none of these: engines free it and try smaller.
    """
    return bool(_BROKEN_CONTEXT.search(str(error))) and "out of memory" not in str(error)
