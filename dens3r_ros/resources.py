# SPDX-License-Identifier: Apache-2.0
"""Where the files that ship beside the code lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def resource_dir(name: str) -> Path:
    """The folder `name` (models or config) of this installation, of whatever kind it is.

    A checkout, an editable install and `colcon build --symlink-install` use the checkout's own
    folder, `pip install` the copy inside the package, `colcon build` the one in share/.
    """
    places = list(_places(name, Path(__file__)))
    for place in places:
        if place.is_dir():
            return place
    looked = ", ".join(map(str, places))
    raise FileNotFoundError(
        f"dens3r_ros is incompletely installed: no folder {name!r} (looked at {looked}); "
        "install it again"
    )


def _places(name: str, module: Path) -> Iterator[Path]:
    checkout = module.resolve().parents[1]
    if (checkout / "package.xml").is_file():
        yield checkout / name
    yield module.parent / name
    # <prefix>/lib/python3.12/site-packages, or <prefix>/local/lib/python3.10/dist-packages
    for prefix in module.parents[4:6]:
        yield prefix / "share" / "dens3r_ros" / name
