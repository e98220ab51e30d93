# SPDX-License-Identifier: Apache-2.0
"""Everything the doctor finds, in order, as lines or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict

from dens3r_ros.cli.health import ros, software, storage
from dens3r_ros.cli.health.finding import Finding, Level


def examine() -> list[Finding]:
    """Look at everything."""
    answer = ros.ask_ros()
    return [
        *software.look_at_python(),
        *ros.look_at_distro(answer, os.environ),
        *ros.look_at_middleware(answer, os.environ),
        *ros.look_at_messages(answer),
        *software.look_at_torch(),
        *software.look_at_onnxruntime(),
        *software.look_at_opencv(),
        *software.look_at_packages(),
        *storage.look_at_disk(),
        *storage.look_at_models(),
    ]


def exit_code(findings: Iterable[Finding]) -> int:
    """1 if anything is an error."""
    return int(any(finding.level is Level.ERROR for finding in findings))


def as_json(findings: Iterable[Finding]) -> str:
    """A list of objects: name, level, found, fix."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def as_lines(findings: Iterable[Finding]) -> Iterable[str]:
    """Plain text, for where rich is not installed."""
    for finding in findings:
        yield f"{finding.level.value:<8} {finding.name}: {finding.found}"
        if finding.fix:
            yield f"{'':<8} -> {finding.fix}"
