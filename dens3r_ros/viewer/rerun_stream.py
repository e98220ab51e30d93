# SPDX-License-Identifier: Apache-2.0
"""A run as it goes, in rerun's viewer or into its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import KeyframeView, Update

SUFFIX = ".rrd"
_STEP = 3
"""Pixels each way of which one point of a keyframe is shown."""
_LEAST_CONFIDENCE = 1.5
_WAY = 5000
"""Last places of the camera that are drawn."""


def open_stream(named: str) -> RerunStream:
    """The stream that a person named: "rerun" opens a window, a name ending in .rrd a file;
    ImportError or ValueError with a sentence."""
    if named != "rerun" and not named.endswith(SUFFIX):
        raise ValueError(f"viewer {named!r} is neither rerun nor a file that ends in {SUFFIX}")
    try:
        import rerun
    except ImportError as error:
        raise ImportError(
            "--viewer needs rerun, which is not installed: pip install 'dens3r_ros[viewer]'"
        ) from error
    return RerunStream(rerun, Path(named) if named.endswith(SUFFIX) else None)


class RerunStream:
    """Shows every frame: image, depth, normals, confidence, the camera and its way, what each stage
    took; and the map as it grows: keyframes' points and frusta, and loops."""

    def __init__(self, rerun: Any, file: Path | None) -> None:
        self._rerun = rerun
        self._stream = rerun.RecordingStream("dens3r reconstruct")
        if file is None:
            self._stream.spawn()
        else:
            self._stream.save(str(file))
        self._shown: dict[int, int] = {}
        self._way: list[np.ndarray] = []
        self._keyframes = self._epoch = 0
        self._log("map", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def __call__(self, frame: Frame, update: Update, mapper: Mapper) -> None:
        """Show one frame, and what it changed in the map."""
        self._stream.set_time("stamp", duration=frame.stamp * 1e-9)
        self._stream.set_time("frame", sequence=update.counters.frames)
        self._log("camera/image", self._rerun.Image(frame.image).compress(jpeg_quality=80))
        self._show_maps(update)
        self._show_figures(update)
        if update.epoch != self._epoch:
            self._begin_anew(update.epoch)
        if update.T_map_camera is not None:
            self._show_place(update)
        if update.keyframe_made:
            self._show_map(mapper)

    def close(self) -> None:
        """Hand over what is still buffered."""
        self._stream.flush()

    def _log(self, path: str, entity: Any, static: bool = False) -> None:
        self._stream.log(path, entity, static=static)

    def _begin_anew(self, epoch: int) -> None:
        self._epoch = epoch
        self._shown.clear()
        self._way.clear()
        self._log("map/keyframes", self._rerun.Clear(recursive=True))

    def _show_maps(self, update: Update) -> None:
        maps = update.maps
        if maps is None:
            return
        sure = maps.confidence >= _LEAST_CONFIDENCE
        depth = np.where(sure, maps.depth, 0).astype(np.float32)
        colours = np.rint((maps.normals + 1) * 127.5).clip(0, 255).astype(np.uint8)
        confidence = np.rint(40 * np.log(np.maximum(maps.confidence, 1))).clip(0, 255)
        self._log("camera/depth", self._rerun.DepthImage(depth, meter=1.0))
        self._log("camera/normals", self._rerun.Image(colours))
        self._log("camera/confidence", self._rerun.Image(confidence.astype(np.uint8)))

    def _show_figures(self, update: Update) -> None:
        figures = {f"milliseconds/{name}": value for name, value in update.timings.items()}
        figures |= {
            "map/count/keyframes": update.counters.keyframes,
            "map/count/loops": update.counters.loops,
            "tracking/matched": update.matched,
        }
        for name, value in figures.items():
            self._log(f"plots/{name}", self._rerun.Scalars(float(value)))

    def _show_place(self, update: Update) -> None:
        T = update.T_map_camera
        assert T is not None
        self._way = [*self._way[1 - _WAY :], T[:3, 3]]
        self._log("map/camera", self._placed(T))
        if update.intrinsics is not None:
            lens = update.intrinsics
            self._log(
                "map/camera",
                self._rerun.Pinhole(image_from_camera=lens.K, width=lens.width, height=lens.height),
            )
        strips = self._rerun.LineStrips3D([np.array(self._way)], colors=[(255, 141, 61)])
        self._log("map/way", strips)

    def _show_map(self, mapper: Mapper) -> None:
        """Keyframes that are new or have moved, and all loops."""
        places = {}
        for view in mapper.keyframes():
            places[view.id] = view.T_map_camera[:3, 3]
            if self._shown.get(view.id) != view.revision:
                self._shown[view.id] = view.revision
                self._show_keyframe(view)
        pairs = {(min(e.i, e.j), max(e.i, e.j)) for e in mapper.loops()}
        lines = [
            np.array([places[i], places[j]]) for i, j in sorted(pairs) if {i, j} <= set(places)
        ]
        self._log("map/loops", self._rerun.LineStrips3D(lines, colors=[(230, 60, 60)] * len(lines)))

    def _show_keyframe(self, view: KeyframeView) -> None:
        path, lens = f"map/keyframes/{view.id}", view.intrinsics
        self._log(path, self._placed(view.T_map_camera))
        sure = view.confidence[::_STEP, ::_STEP] >= _LEAST_CONFIDENCE
        points, colours = (some[::_STEP, ::_STEP][sure] for some in (view.points, view.colours))
        self._log(f"{path}/points", self._rerun.Points3D(points, colors=colours))
        self._log(
            f"{path}/frustum",
            self._rerun.Pinhole(image_from_camera=lens.K, width=lens.width, height=lens.height),
        )

    def _placed(self, T: np.ndarray) -> Any:
        return self._rerun.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3])
