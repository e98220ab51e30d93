# SPDX-License-Identifier: Apache-2.0
"""What the `dens3r` command starts: the command line, or a sentence where packages are missing."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run `dens3r`; `dens3r doctor` works even where nothing is installed beside it."""
    try:
        from dens3r_ros.cli.main import app
    except ImportError as problem:
        if (problem.name or "").startswith("dens3r_ros"):
            raise
        sys.exit(_without_packages(problem, sys.argv[1:]))
    # Supervisors, containers and `timeout` send SIGTERM: it must leave no more behind than Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


def _without_packages(problem: ImportError, arguments: list[str]) -> int | str:
    if arguments[:1] != ["doctor"]:
        return (
            f"dens3r cannot start: {problem}. Install what it needs (pip install dens3r_ros, or "
            "make setup in a checkout); dens3r doctor lists what is missing."
        )
    from dens3r_ros.cli.health.report import as_json, as_lines, examine, exit_code

    findings = examine()
    print(as_json(findings) if "--json" in arguments else "\n".join(as_lines(findings)))
    return exit_code(findings)


if __name__ == "__main__":
    main()
