# SPDX-License-Identifier: Apache-2.0
"""A reason why setup cannot go on, told in one paragraph."""

from __future__ import annotations


class SetupProblem(Exception):
    """`found` says what was met, `fix` what to do; both are sentences."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(f"{found} {fix}")
        self.found, self.fix = found, fix
