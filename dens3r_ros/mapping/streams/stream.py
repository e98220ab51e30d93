# SPDX-License-Identifier: Apache-2.0
"""What is remembered of one camera from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.engines.protocol import Features, Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.watch import MotionWatch
from dens3r_ros.mapping.tracking.agreement import ConsistencyCheck
from dens3r_ros.mapping.tracking.cameras import CameraEstimate, fit_camera
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.lens import LensEstimate
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.refinement import NO_PIXELS, Texture
from dens3r_ros.mapping.tracking.tracker import View


@dataclass(frozen=True, eq=False)
class Sight:
    """Through what a frame was seen: the camera of the engine's pixels, whether pixels are pinned
    to its rays, where they lie in the image, and the frame's stamp (ns)."""

    camera: Intrinsics
    calibrated: bool
    placement: Placement
    stamp: int


@dataclass(eq=False)
class Stream:
    """A camera: where it was last, against which keyframe, and what lens it seems to have."""

    name: str
    keyframe_id: int | None = None
    T_keyframe_frame: np.ndarray = field(default_factory=lambda: np.eye(4))
    lost: int = 0
    """Frames since it was placed last."""
    focal: float = 0.0
    """Focal length, in pixels of the engine's, by which it was; 0 before the first."""
    intrinsics: Intrinsics | None = None
    """By which it was, at the input's resolution."""
    estimate: CameraEstimate = field(default_factory=CameraEstimate)
    lens: LensEstimate = field(default_factory=LensEstimate)
    consistency: ConsistencyCheck = field(default_factory=ConsistencyCheck)
    sight: Sight | None = None
    """How the last frame was seen."""
    before: View | None = None
    """How the last frame that has a place was seen."""
    watch: MotionWatch | None = None
    """Tells what moves in its frames, where that is asked for."""

    def move_to(self, keyframe_id: int, T_keyframe_frame: np.ndarray) -> None:
        """The camera is here."""
        self.keyframe_id, self.T_keyframe_frame = keyframe_id, T_keyframe_frame

    def expect(self, T_keyframe_frame: np.ndarray | None) -> bool:
        """The camera is expected here, if anywhere; whether that is said and a keyframe known."""
        if T_keyframe_frame is None or self.keyframe_id is None:
            return False
        self.T_keyframe_frame, self.lost = T_keyframe_frame, 0
        return True

    def expect_lens(self, camera: Intrinsics, whole: Intrinsics | None) -> None:
        """The lens was this: of the engine's pixels, and of the image's where that is given."""
        self.estimate.add(camera)
        if whole is not None:
            self.lens.known = whole

    def camera_for(self, features: Features) -> tuple[Intrinsics, bool]:
        """The camera of the engine's pixels, and whether pixels are pinned to its rays."""
        if features.intrinsics is not None:
            return features.intrinsics, True
        height, width = features.placement.size
        current = self.estimate.current
        if current is not None and (current.height, current.width) == (height, width):
            return current, False
        focal = 0.85 * max(height, width)
        return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height), False

    def learn(self, view: View, features: Features, seen: Observation, keyframe: Keyframe) -> View:
        """The view anew, where the lens was not given and the engine's rays show more of it; so
        learns the keyframe."""
        if view.calibrated:
            return view
        self.estimate.add(fit_camera(seen.frame_points, seen.frame_confidence))
        camera, pinned = self.camera_for(features)
        if keyframe.camera_name == self.name:
            keyframe.learn_lens(camera)
        self.sight = Sight(camera, pinned, features.placement, features.frame.stamp)
        return View(camera, pinned, view.texture, view.motion)

    def view(self, features: Features, motion: np.ndarray | None = None) -> View:
        """What the tracker needs of a frame, and what moves in it if that is known already; else
        what moved in the one before."""
        camera, pinned = self.camera_for(features)
        self.sight = Sight(camera, pinned, features.placement, features.frame.stamp)
        view, watch = self.earlier_view(features), self.watch
        if motion is None and watch is not None and view.texture is not None:
            motion = watch.expected(features.frame.stamp, view.texture.grey)
        return replace(view, motion=motion)

    def earlier_view(self, features: Features) -> View:
        """The same of a frame that came before the latest one."""
        camera, pinned = self.camera_for(features)
        image = resample(features.frame.image, features.placement)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return View(camera, pinned, Texture(grey, NO_PIXELS, self.consistency.doubt))


class Streams(dict[str, Stream]):
    """Cameras by name, each from when it is first asked for."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self._motion = config

    def __missing__(self, name: str) -> Stream:
        watch = MotionWatch(self._motion) if self._motion.enabled else None
        self[name] = Stream(name, watch=watch)
        return self[name]
