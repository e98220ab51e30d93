# SPDX-License-Identifier: Apache-2.0
"""The order of things: look, then do what is not done yet."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

from ros_setup.checks import check_compiler, check_disk, check_platform, choose_python, probe
from ros_setup.plan import Plan
from ros_setup.problem import SetupProblem
from ros_setup.steps import is_done, keys, only_one, run_steps
from ros_setup.venv import made_for
from ros_setup.world import World, other_checkouts, outside, sourced_world

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Set everything up; 0 when all is there, 1 with a paragraph when it cannot be."""
    try:
        _set_up(dict(os.environ))
    except SetupProblem as problem:
        print(f"\nmake setup: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. make setup goes on from here.", file=sys.stderr)
        return 130
    return 0


def _set_up(environment: dict[str, str]) -> None:
    asked = environment.get("PYTHON") or None
    pip_args = environment.get("PIP_ARGS", "")
    others = other_checkouts(environment, ROOT)
    clean = environment
    for checkout in (ROOT, *others):
        clean = outside(clean, checkout)
    world = _world(clean, asked)
    plan = Plan(ROOT, world, clean, pip_args)
    steps = plan.steps()
    missing = [s for s, key in zip(steps, keys(steps), strict=True) if not is_done(s, key)]
    if not missing:
        return
    with only_one(ROOT):
        start = time.monotonic()
        print(f"Setting up {ROOT} with {world.describe()}", flush=True)
        for checkout in others:
            print(f"Note: this shell has {checkout} activated; it is left aside", flush=True)
        _look_around(plan, clean, pip_args)
        run_steps(steps)
        print(f"All set up in {time.monotonic() - start:.1f} s. `source scripts/activate` uses it.")


def _world(environment: dict[str, str], asked: str | None) -> World:
    """Where ROS comes from; a `.venv` that is already there keeps its Python unless one is asked.

    A `.venv` made for one world is never remade for another by accident.
    """
    made = made_for(ROOT / ".venv")
    pythons = [asked] if asked else ["python3", "/usr/bin/python3"]
    world = sourced_world(environment, pythons)
    if world is None:
        kept = None if asked else _kept_python()
        look = partial(probe, environment=environment)
        world = World(None, kept or choose_python(asked, look).path)
    else:
        interpreter = probe(world.python)
        world = World(world.distro, interpreter.path if interpreter else world.python)
    if made not in (None, "", world.label):
        raise SetupProblem(
            f".venv was made for {made}, but this shell would use {world.label}.",
            "Open a shell like the one it was made in (source the same ROS 2, or none), or start "
            "over with: rm -r .venv install && make setup",
        )
    return world


def _kept_python() -> str | None:
    kept = ROOT / ".venv" / "base-python"
    python = kept.read_text().strip() if kept.exists() else ""
    return python if python and probe(python) else None


def _look_around(plan: Plan, environment: dict[str, str], pip_args: str) -> None:
    python = choose_python(plan.world.python) if not plan.world.sourced else None
    if python:
        check_platform()
    interpreter = python or probe(plan.world.python)
    if interpreter:
        check_compiler(environment, interpreter.include)
    if not plan.has_torch():
        warning = check_disk(ROOT, pip_args)
        if warning:
            print(f"Note: {warning}", flush=True)
