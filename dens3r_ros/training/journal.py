# SPDX-License-Identifier: Apache-2.0
"""The run's log: a CSV file, TensorBoard where it is installed, and a line a minute."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = (
    "step", "pairs", "seconds", "pairs_per_second", "lr", "gradient_norm", "width", "height",
    "total", "points", "canonical", "focal", "pointmap_normals", "matching", "normals",
    "completion", "held_point_a", "held_point_b", "held_normal_deg", "held_match_4px",
    "held_rotation_deg", "held_translation_deg", "held_focal",
    "depth", "cameras", "rays", "mean_point_a", "mean_point_b",
)  # fmt: skip


class Journal:
    """Rows of numbers by name, in `log.csv` of the run's folder."""

    def __init__(self, folder: Path, resumed: Path | None = None, step: int = 0) -> None:
        """Goes on from the rows of a run resumed at `step`: later ones will come again."""
        self._path = folder / "log.csv"
        rows = [] if resumed is None else read_rows(resumed)
        kept = [row for row in rows if int(row["step"]) <= step]
        with self._path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        self._board = _tensorboard(folder)

    def write(self, numbers: dict[str, float]) -> None:
        """Add a row."""
        row = {k: v if isinstance(v, int) else f"{v:.6g}" for k, v in numbers.items()}
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, int(numbers["step"]))
            self._board.flush()


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a run, as text."""
    path = folder / "log.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _tensorboard(folder: Path):  # type: ignore[no-untyped-def]
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))


def spoken(numbers: dict[str, float]) -> str:
    """A row as one line for people."""
    kept = [n for n in COLUMNS if n in numbers and n not in ("width", "height", "gradient_norm")]
    parts = [f"{name} {_short(numbers[name])}" for name in kept if name not in ("step", "seconds")]
    return f"{numbers['seconds'] / 60:7.1f} min  " + "  ".join(parts)


def _short(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
