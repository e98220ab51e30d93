# SPDX-License-Identifier: Apache-2.0
"""Opening whatever a path holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dens3r_ros.sources.colmap import ColmapFolder, is_colmap
from dens3r_ros.sources.euroc import EurocSequence, is_euroc
from dens3r_ros.sources.folder import ImageFolder
from dens3r_ros.sources.images import image_files
from dens3r_ros.sources.source import Source, SourceError
from dens3r_ros.sources.tum import TumSequence
from dens3r_ros.sources.video import VIDEO_SUFFIXES, Video

_EXPECTED = (
    "Expected a folder of images, a sequence in the TUM RGB-D layout (with rgb.txt) or "
    "that of EuRoC (with mav0/cam0), photos with a sparse model of COLMAP, a video "
    f"({', '.join(VIDEO_SUFFIXES)}), or a procedural walk (procedural:loop?frames=600)."
)


def open_source(path: str | Path) -> Source:
    """The source that `path` holds; SourceError saying what was found where it holds none."""
    if str(path).startswith("procedural:photos"):
        from dens3r_ros.sources.procedural_photos import ProceduralPhotos

        return ProceduralPhotos(str(path))
    if str(path).startswith("procedural:"):
        from dens3r_ros.sources.procedural import ProceduralWalk

        return ProceduralWalk(str(path))
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist.")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return Video(path)
    if not path.is_dir():
        raise SourceError(f"{path} is a file. {_EXPECTED}")
    if (path / "rgb.txt").exists():
        return TumSequence(path)
    if is_euroc(path):
        return EurocSequence(path)
    if is_colmap(path):
        return ColmapFolder(path)
    if image_files(path):
        return ImageFolder(path)
    raise SourceError(f"{path} holds {_contents(path)}. {_EXPECTED}")


def _contents(folder: Path) -> str:
    """What a folder holds, in words."""
    children = sorted(folder.iterdir())
    suffixes = Counter(child.suffix or "unnamed" for child in children if child.is_file())
    found = [f"{count} {suffix} file(s)" for suffix, count in suffixes.most_common(5)]
    for child in (child for child in children if child.is_dir()):
        images = len(image_files(child))
        found.append(f"the folder {child.name}" + (f" with {images} images" if images else ""))
    return ", ".join(found[:8]) or "nothing"
