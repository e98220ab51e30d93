# SPDX-License-Identifier: Apache-2.0
"""The part of packaging that pyproject.toml cannot say; the rest stands there."""

from pathlib import Path

from setuptools import find_packages, setup

# The root's data folders travel inside the package; dens3r_ros.resources finds them again.
FOLDERS = [name for name in ("models", "config") if Path(name).is_dir()]

setup(
    packages=[*find_packages(include=["dens3r_ros*"]), *(f"dens3r_ros.{f}" for f in FOLDERS)],
    package_dir={f"dens3r_ros.{folder}": folder for folder in FOLDERS},
    package_data={f"dens3r_ros.{folder}": ["**/*.*"] for folder in FOLDERS},
)
