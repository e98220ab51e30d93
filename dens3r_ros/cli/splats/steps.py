# SPDX-License-Identifier: Apache-2.0
"""The option of how long splats are optimised."""

from __future__ import annotations

from typing import Annotated

import typer

Steps = Annotated[
    int,
    typer.Option(min=0, help="Optimise the splats on the keyframes' images for so many steps."),
]
NO_SPLATS = "--optimize works on splats: ask for them too (--splats)"
