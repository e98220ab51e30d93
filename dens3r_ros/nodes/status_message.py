# SPDX-License-Identifier: Apache-2.0
"""The session as a Status message."""

from __future__ import annotations

import math
import time
from typing import Any

from rclpy.node import Node

from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.outputs.server_report import trouble_of
from dens3r_ros.nodes.session import NodeSession


def status_message(node: Node, session: NodeSession) -> Any:
    """How the session stands now."""
    message = interfaces.messages.Status()
    message.header.stamp = node.get_clock().now().to_msg()
    message.header.frame_id = session.config.frames.map
    _fill_images(message, session)
    _fill_latency(message, session)
    _fill_engine(message, session)
    message.focal_length = math.nan
    message.map_points = session.map_points()
    if session.update is not None:
        _fill_update(message, session.update)
    _fill_scale(message, session)
    _fill_tracking(message, session)
    return message


def _fill_scale(message: Any, session: NodeSession) -> None:
    """What makes lengths metres, and how surely."""
    metric = session.update is not None and session.update.metric
    held, since = session.scale.held, session.metres.since
    message.scale_metres = message.scale_deviation = math.nan
    if metric and held is not None:
        message.scale_source, message.scale_metres = held.source, held.metres
        message.scale_deviation = held.sigma
    elif metric:
        message.scale_source, message.scale_metres = "engine", 1.0
    if metric and since is not None:
        message.scale_since = header_at(since, "").stamp


def _fill_tracking(message: Any, session: NodeSession) -> None:
    states = {
        Tracking.INITIALISING: message.TRACKING_INITIALISING,
        Tracking.TRACKING: message.TRACKING_OK,
        Tracking.LOST: message.TRACKING_LOST,
        Tracking.RELOCALISING: message.TRACKING_RELOCALISING,
    }
    faults = session.faults
    if faults.failure:
        message.tracking, message.reason = message.TRACKING_FAILED, faults.failure
    elif session.paused:
        message.tracking = message.TRACKING_PAUSED
    elif session.intake is None:
        message.tracking = message.TRACKING_INACTIVE
    elif faults.of_image:
        message.tracking, message.reason = message.TRACKING_LOST, faults.of_image
    elif session.update is None:
        message.tracking, message.reason = message.TRACKING_INACTIVE, trouble_of(session.engine)
    else:
        message.tracking = states[session.update.state]
        message.reason = trouble_of(session.engine) or session.update.reason or faults.text


def _fill_images(message: Any, session: NodeSession) -> None:
    counts = session.counts.now()
    message.images_received = counts.received
    message.images_processed = counts.processed
    message.images_dropped = sum(counts.dropped.values())
    message.images_waiting = counts.waiting
    message.dropped_reasons = list(counts.dropped)
    message.dropped_counts = list(counts.dropped.values())
    message.frames_per_second = session.rate.per_second(time.monotonic())
    message.images_decoded = session.counts.decoded
    message.decodings_per_second = session.decodings.per_second(time.monotonic())
    message.dense_maps_skipped = session.dense.skipped
    if session.intake is not None:
        message.stalled_topics = [s.topic for s in session.intake.cameras.values() if s.stalled]


def _fill_latency(message: Any, session: NodeSession) -> None:
    stages = session.durations.percentiles()
    names = [s for s in stages if s != "total"] + [s for s in stages if s == "total"]
    message.stages = names
    message.latency_p50_ms = [stages[name][0] for name in names]
    message.latency_p95_ms = [stages[name][1] for name in names]
    computed, images = session.durations.computed(), max(session.counts.now().processed, 1)
    message.computed_ms = [computed[name] / images for name in names]


def _fill_engine(message: Any, session: NodeSession) -> None:
    info = session.engine.info
    message.engine, message.model = info.name, info.model
    message.model_hash, message.device = info.model_hash, info.device
    message.metric = info.metric


def _fill_update(message: Any, update: Update) -> None:
    counters = update.counters
    message.camera = update.camera
    message.last_processed = header_at(update.stamp, "").stamp
    message.matched, message.dynamic = update.matched, update.dynamic
    message.epoch = update.epoch
    message.levelled_by = update.levelled_by
    message.keyframes_in_window = counters.keyframes_in_window
    message.keyframes_in_archive = counters.keyframes_in_archive
    message.loops = counters.loops
    message.scale, message.metric = update.scale, update.metric
    if update.intrinsics is not None:
        message.focal_length = update.intrinsics.fx
        message.focal_length_estimated = update.intrinsics_estimated
