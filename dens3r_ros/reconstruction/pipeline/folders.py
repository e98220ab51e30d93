# SPDX-License-Identifier: Apache-2.0
"""What lies where in the folder of a reconstruction."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Paths below the folder of results; `work` is there only while a run is not finished."""

    out: Path

    @property
    def work(self) -> Path:
        """What a run needs to go on."""
        return self.out / ".work"

    @property
    def keyframe_maps(self) -> Path:
        """Keyframes' depth."""
        return self.work / "keyframes"

    @property
    def refined_maps(self) -> Path:
        """Keyframes' depth once it was refined: a run that is killed meanwhile begins with that of
        mapping again."""
        return self.work / "refined"

    @property
    def tracks(self) -> Path:
        """Tracks of pairs."""
        return self.work / "tracks"

    @property
    def moving(self) -> Path:
        """Masks of what moves, from the first pass."""
        return self.work / "moving.npz"

    @property
    def frame_maps(self) -> Path:
        """Depth and normals of single frames, as they came."""
        return self.work / "frames"

    @property
    def images(self) -> Path:
        """Keyframes' images, which COLMAP and nerfstudio read too."""
        return self.out / "images"

    def begin(self, resume: bool) -> None:
        """Make room: what an earlier run left goes, unless this one goes on with it."""
        self.out.mkdir(parents=True, exist_ok=True)
        if not resume and self.work.exists():
            shutil.rmtree(self.work)
        if not resume and self.images.exists():
            for path in self.images.glob("[0-9]*.jpg"):
                path.unlink()
        self.work.mkdir(exist_ok=True)

    def end(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.work, ignore_errors=True)
