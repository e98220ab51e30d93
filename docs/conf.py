# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site: `make docs`, and rosdoc2 by rosdoc2.yaml."""

from pathlib import Path

import tomllib

project = "dens3r_ros"
author = "dens3r_ros maintainers"
release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"][
    "version"
]
extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
exclude_patterns = ["tools", "_build"]
html_theme = "furo"
html_title = "dens3r_ros"
nitpicky = True
