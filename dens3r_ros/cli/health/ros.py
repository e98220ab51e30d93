# SPDX-License-Identifier: Apache-2.0
"""ROS 2: which one, from where, its middleware and its message packages.

ROS is asked in a process of its own: what is broken there must not break the doctor.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.cli.health.finding import Finding, error, ok, warning

DISTROS = ("iron", "jazzy", "kilted", "lyrical", "rolling")
TOO_OLD = ("foxy", "galactic", "humble")
MESSAGES = (
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rcl_interfaces",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
    "tf2_msgs",
    "dens3r_ros",
)
TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
DISCOVERY = (
    "ROS_DOMAIN_ID",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_STATIC_PEERS",
    TRANSPORTS,
    *PROFILES,
    "CYCLONEDDS_URI",
)
GET_ROS = "source a ROS 2 (source /opt/ros/<distro>/setup.bash) or, in a checkout, make setup"
ACTIVATE = "in a checkout: make setup, then source scripts/activate"

PROBE = """
import importlib, json, sys

FAULTS = (ImportError, OSError, RuntimeError, AttributeError, SystemError)
answer = {"missing": {}}

def say(problem):
    return f"{type(problem).__name__}: {problem}".splitlines()[0]

try:
    rclpy = importlib.import_module("rclpy")
    answer["rclpy"] = rclpy.__file__
    answer["rmw"] = rclpy.get_rmw_implementation_identifier()
except FAULTS as problem:
    answer["problem"] = say(problem)
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name + (".srv" if name == "std_srvs" else ".msg"))
        kind = next(k for k in vars(module).values() if hasattr(k, "__import_type_support__"))
        kind.__import_type_support__()
    except FAULTS as problem:
        answer["missing"][name] = say(problem)
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class RosAnswer:
    """What a fresh Python says of ROS."""

    rclpy: str | None
    rmw: str
    problem: str
    missing: Mapping[str, str]


def ask_ros(python: str = sys.executable) -> RosAnswer:
    """Import ROS in another process."""
    try:
        run = subprocess.run(
            [python, "-c", PROBE, *MESSAGES], capture_output=True, text=True, timeout=60
        )
        answer = json.loads(run.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as problem:
        text = f"a Python that imports rclpy does not answer ({type(problem).__name__})"
        return RosAnswer(None, "", text, dict.fromkeys(MESSAGES, text))
    return RosAnswer(
        answer.get("rclpy"), answer.get("rmw", ""), answer.get("problem", ""), answer["missing"]
    )


def look_at_distro(answer: RosAnswer, environment: Mapping[str, str]) -> list[Finding]:
    """The distribution, and where it comes from."""
    distro = environment.get("ROS_DISTRO", "")
    if answer.rclpy is None:
        return [_no_ros(answer, distro, environment)]
    found = f"rclpy from {_origin(Path(answer.rclpy), environment)}"
    if distro in TOO_OLD:
        fix = "the node asks rclpy for what it has from Iron on: source a newer ROS 2"
        return [error("ROS 2", f"{distro}, {found}", fix)]
    if distro in DISTROS:
        return [ok("ROS 2", f"{distro}, {found}")]
    named = f"ROS_DISTRO is {distro!r}" if distro else "ROS_DISTRO is not set"
    fix = f"known are {', '.join(DISTROS)}: source one ROS 2 setup file in a fresh shell"
    return [warning("ROS 2", f"{named}, {found}", fix)]


def _no_ros(answer: RosAnswer, distro: str, environment: Mapping[str, str]) -> Finding:
    if environment.get("AMENT_PREFIX_PATH"):
        text = f"{distro or 'a ROS 2'} is sourced, but rclpy does not load ({answer.problem})"
        return error("ROS 2", text, "use the Python that this ROS was built for")
    named = f"ROS_DISTRO is {distro!r}, but " if distro else ""
    text = f"{named}there is none here ({answer.problem}): all but the node works"
    return warning("ROS 2", text, GET_ROS)


def _origin(rclpy: Path, environment: Mapping[str, str]) -> str:
    if Path(sys.prefix) in rclpy.parents:
        return f"PyPI wheels in {sys.prefix}"
    prefixes = environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return next((p for p in prefixes if p and Path(p) in rclpy.parents), str(rclpy.parent))


def look_at_middleware(answer: RosAnswer, environment: Mapping[str, str]) -> list[Finding]:
    """The RMW and its transport settings."""
    if answer.rclpy is None:
        return []
    findings = [ok("RMW", f"{answer.rmw or 'unknown'}, {_discovery(environment)}")]
    domain = environment.get("ROS_DOMAIN_ID", "")
    if domain and not (domain.isdigit() and int(domain) <= 232):
        fix = "export ROS_DOMAIN_ID=0 (0 to 101 are safe on every system)"
        findings.append(error("ROS_DOMAIN_ID", f"{domain!r} is not a number of 0 to 232", fix))
    if "fastrtps" in answer.rmw:
        findings.append(_fast_dds_transport(environment))
    findings.append(_malloc(environment))
    return findings


def _discovery(environment: Mapping[str, str]) -> str:
    settings = [f"{name}={environment[name]}" for name in DISCOVERY if environment.get(name)]
    return ", ".join(settings) or "ROS_DOMAIN_ID=0 (default)"


def _fast_dds_transport(environment: Mapping[str, str]) -> Finding:
    name, transport = "Fast DDS transport", environment.get(TRANSPORTS, "")
    profile = next((environment[p] for p in PROFILES if environment.get(p)), "")
    if profile and not Path(profile).is_file():
        return error(name, f"{profile} does not exist", f"unset {', '.join(PROFILES)}")
    if transport not in ("", "DEFAULT"):
        text = f"{TRANSPORTS}={transport}: processes started without it may not be found from here"
        fix = f"unset {TRANSPORTS}, or set it wherever anything of this robot is started"
        return warning(name, text, fix)
    if not profile:
        text = "default, 512 KB of shared memory: large messages of this shell's processes are late"
        fix = (
            f"export {PROFILES[0]}=<share/dens3r_ros>/config/fastdds.xml (our node does so itself)"
        )
        return warning(name, text, fix)
    return ok(name, f"default, {profile}, {_socket_buffers()}, {_shared_memory()}")


def _shared_memory() -> str:
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return "no /dev/shm"
    return f"{free / 2**20:.0f} MiB free in /dev/shm"


def _socket_buffers() -> str:
    try:
        limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return "socket buffers unknown"
    return f"socket buffers up to {limit / 2**20:.1f} MiB"


def _malloc(environment: Mapping[str, str]) -> Finding:
    names = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
    unset = [name for name in names if not environment.get(name)]
    if not unset:
        return ok("malloc", ", ".join(f"{name}={environment[name]}" for name in names))
    fix = f"export {' '.join(f'{name}=33554432' for name in unset)} (our launch files set them)"
    return warning("malloc", f"{', '.join(unset)} not set: large messages cost more", fix)


def look_at_messages(answer: RosAnswer) -> list[Finding]:
    """Message packages; ours is one of them."""
    if answer.rclpy is None:
        return []
    missing = dict(answer.missing)
    findings = []
    if "dens3r_ros" in missing:
        text = f"not built ({missing.pop('dens3r_ros')}): no status, keyframes, save and load"
        findings.append(warning("dens3r_ros messages", text, f"colcon build; {ACTIVATE}"))
    if "tf2_msgs" in missing:
        text = f"does not load ({missing.pop('tf2_msgs')}): no transforms are published"
        findings.append(warning("tf2_msgs", text, f"install ros-<distro>-tf2-msgs; {ACTIVATE}"))
    for name, why in missing.items():
        fix = f"install ros-<distro>-{name.replace('_', '-')}, or {ACTIVATE}"
        findings.append(error(name, f"does not load ({why})", fix))
    present = [name for name in MESSAGES if name not in answer.missing]
    return [ok("message packages", ", ".join(present)), *findings] if present else findings
