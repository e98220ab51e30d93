# SPDX-License-Identifier: Apache-2.0
"""Photos of any camera placed in the map as it stands, between the decodings of its own frames."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.localising.opinions import Located
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.places.in_steps import next_step
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.camera_info import RejectedInfo, calibration_from_info
from dens3r_ros.nodes.inputs.images import RejectedImage, rgb_from_compressed, rgb_from_image
from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.inputs.metric_scale import Held, MetricScale
from dens3r_ros.nodes.inputs.scale import lengthened
from dens3r_ros.nodes.messages.poses import pose_message
from dens3r_ros.nodes.settings.config import NodeConfig
from dens3r_ros.nodes.worker import Job, Worker

_CAMERA = "~/localize"
"""Name of whatever camera took a photo."""
_MOST_WAITING = 8
"""Photos, of which each may be large."""


class PhotoRefused(ValueError):
    """A photo without a place; the message says why."""


@dataclass(frozen=True, eq=False)
class PhotoPlace:
    """Where a photo was taken, in the frame and unit of what is published; see `Localize.srv`."""

    found: Located
    T_map_camera: np.ndarray
    covariance: np.ndarray
    metric: bool
    epoch: int
    same_piece: bool
    map_frame: str

    def fill(self, request: Any, response: Any) -> None:
        """Tell it to whoever asked."""
        found, pose = self.found, response.pose
        pose.header.stamp, pose.header.frame_id = _photo(request).header.stamp, self.map_frame
        pose.pose.pose = pose_message(self.T_map_camera)
        pose.pose.covariance = self.covariance.ravel().tolist()
        response.metric, response.epoch = self.metric, self.epoch
        response.piece, response.same_piece = found.piece, self.same_piece
        response.keyframes = list(found.keyframes)
        response.matched, response.inliers = found.matched, found.inliers
        response.lens = found.lens
        response.message = self._message()

    def _message(self) -> str:
        near, turned = np.sqrt(np.diag(self.covariance).reshape(2, 3).sum(1))
        unit = " m" if self.metric else " units of the map"
        by = ", ".join(map(str, self.found.keyframes))
        told = f"found by keyframe {by}: sigma {near:.3g}{unit}, {np.rad2deg(turned):.2g} degrees"
        if self.found.lens == "guessed":
            told += "; its lens was guessed: send camera_info"
        return told if self.same_piece else f"{told}; the node's camera is not in that piece"


class PhotoPlacing:
    """One photo after the other: pixels on a thread of its own, the place on that of the map.

    `state`: the last frame's update, and the parameters as they stand.
    """

    def __init__(
        self,
        worker: Worker,
        mapper: Mapper,
        scale: MetricScale,
        state: Callable[[], tuple[Update | None, NodeConfig]],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._worker, self._mapper, self._scale, self._state = worker, mapper, scale, state
        mailbox: Mailbox[Job] = Mailbox(1, False)
        self._photos = Worker(mailbox, on_fault, "dens3r-photos")
        self._asked = 0

    def place(self, request: Any) -> Future[PhotoPlace]:
        """Where the photo of a request was taken; PhotoRefused where that is not known."""
        if self._asked >= _MOST_WAITING:
            raise PhotoRefused(f"{self._asked} photos wait for their places: ask again later")
        self._asked += 1
        future = self._photos.call(lambda: self._placed(request))
        future.add_done_callback(self._answered)
        return future

    def close(self, timeout_s: float) -> None:
        """Give up what waits."""
        self._photos.stop(timeout_s)

    def _answered(self, _: Future[PhotoPlace]) -> None:
        self._asked -= 1

    def _placed(self, request: Any) -> PhotoPlace:
        photo = _frame(request, self._state()[1].input.max_image_pixels)
        steps, found = self._placing(photo), None
        while found is None:
            # The worker hands over; where frames are tracked beside decodings it goes on at once.
            handed = self._worker.call_between(
                lambda: self._mapper.between(lambda: next_step(steps))
            )
            found = handed.result().result()
        return found

    def _placing(self, photo: Frame) -> Generator[None, None, PhotoPlace]:
        """The search in steps, between which frames are mapped."""
        self._check_metric()
        found = yield from self._mapper.placing(photo)
        if isinstance(found, str):
            raise PhotoRefused(found)
        return self._told(found, self._check_metric())

    def _check_metric(self) -> bool:
        """Whether lengths are metres; PhotoRefused where they are not and must be."""
        mapper, wanted = self._mapper, self._state()[1].output.require_metric
        metric = self._held() is not None or (mapper.metric and mapper.engine.info.metric)
        if wanted and not metric:
            raise PhotoRefused("lengths are not metres yet, as output.require_metric wants")
        return metric

    def _told(self, found: Located, metric: bool) -> PhotoPlace:
        """A place of the mapper as it is published now."""
        mapper, held, config = self._mapper, self._held(), self._state()[1]
        T, covariance = found.T_map_camera, found.covariance
        if held is not None:
            T, covariance = _published(T, covariance, held)
        epoch, here = mapper.epoch + self._scale.epochs, mapper.piece
        return PhotoPlace(
            found, T, covariance, metric, epoch, found.piece == here, config.frames.map
        )

    def _held(self) -> Held | None:
        """The scale by which this map is published; None where it is in the mapper's unit."""
        update, scale = self._state()[0], self._scale
        current = update is not None and update.epoch == self._mapper.epoch + scale.epochs
        return scale.held if current else None


def _published(
    T_map_camera: np.ndarray, covariance: np.ndarray, held: Held
) -> tuple[np.ndarray, np.ndarray]:
    """A pose and its covariance in the frame and unit of what the node publishes."""
    T = held.level.map @ lengthened(T_map_camera, held.metres)
    units = np.kron(np.diag([held.metres, 1.0]), held.level.map[:3, :3])
    spread = units @ covariance @ units.T
    spread[:3, :3] += held.sigma**2 * np.outer(T[:3, 3], T[:3, 3])
    return T, spread


def _frame(request: Any, most_pixels: int) -> Frame:
    """The photo as a pinhole camera sees it; PhotoRefused where it is none."""
    message = _photo(request)
    if not len(message.data):
        raise PhotoRefused("the request holds no photo: fill image or compressed")
    read = rgb_from_image if message is request.image else rgb_from_compressed
    try:
        image = read(message, most_pixels)
        height, width = image.shape[:2]
        calibration = calibration_from_info(request.camera_info, width, height)
    except RejectedImage as error:
        raise PhotoRefused(f"the photo cannot be read: {error}") from error
    except RejectedInfo as error:
        raise PhotoRefused(f"camera_info: {error}") from error
    if calibration is None:
        return Frame(image, 0, _CAMERA)
    return Frame(calibration.undistorter()(image), 0, _CAMERA, calibration.intrinsics)


def _photo(request: Any) -> Any:
    """The message of a request's photo."""
    return request.image if len(request.image.data) else request.compressed
