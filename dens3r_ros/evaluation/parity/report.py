# SPDX-License-Identifier: Apache-2.0
"""What all comparisons of a file come to: passed, off, or never compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dens3r_ros.evaluation.parity.comparison import Comparison

Status = Literal["passed", "off", "unknown", "failed", "left out"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class FileReport:
    """The comparisons of one file.

    kind        what the file is; empty where that is not known
    status      `passed`; `off` beyond a tolerance; `unknown` kind; `failed` before it was compared;
                `left out` of what this package does
    message     why nothing was compared, empty otherwise
    """

    path: Path
    kind: str
    status: Status
    comparisons: tuple[Comparison, ...] = ()
    message: str = ""
    seconds: float = 0.0

    def worst(self) -> list[Comparison]:
        """The comparison with the largest error of every output, over all cases."""
        worst: dict[tuple[str, str], Comparison] = {}
        for comparison in self.comparisons:
            key = (comparison.output, comparison.unit)
            if key not in worst or _excess(comparison) > _excess(worst[key]):
                worst[key] = comparison
        return list(worst.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; errors that are no finite numbers become text."""
        rows = [
            asdict(comparison) | {"passed": comparison.passed, "error": _plain(comparison.error)}
            for comparison in self.comparisons
        ]
        return {
            "file": str(self.path),
            "kind": self.kind or None,
            "status": self.status,
            "message": self.message,
            "seconds": round(self.seconds, 2),
            "comparisons": rows,
        }


def report_of(
    path: Path, kind: str, comparisons: Sequence[Comparison], seconds: float
) -> FileReport:
    """A file of which something was compared; nothing compared is no pass."""
    if not comparisons:
        return FileReport(path, kind, "failed", (), "nothing in it could be compared", seconds)
    status: Status = "passed" if all(c.passed for c in comparisons) else "off"
    return FileReport(path, kind, status, tuple(comparisons), "", seconds)


def summary(reports: Sequence[FileReport]) -> dict[str, Any]:
    """Counts by status, and every file's report."""
    counts = {status: sum(report.status == status for report in reports) for status in STATUSES}
    return counts | {"files": [report.to_dict() for report in reports]}


def lines(report: FileReport) -> Iterator[tuple[str, str, str, str, str]]:
    """Output, largest error, tolerance, unit and remark of every output of a file."""
    for row in report.worst():
        mark = "" if row.passed else "OFF"
        where = f"in {row.case}" if row.case and not row.passed else ""
        remark = " ".join(part for part in (mark, row.note, where) if part)
        yield row.output, f"{row.error:.2g}", f"{row.tolerance:.2g}", row.unit, remark


def _excess(comparison: Comparison) -> float:
    """Sorts errors, those that are no numbers above all."""
    if math.isnan(comparison.error):
        return math.inf
    return comparison.error / comparison.tolerance if comparison.tolerance else comparison.error


def _plain(error: float) -> float | str:
    return error if math.isfinite(error) else str(error)
