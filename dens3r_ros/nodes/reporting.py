# SPDX-License-Identifier: Apache-2.0
"""~/status and /diagnostics: what the node does, and what hinders it."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from dens3r_ros.mapping.update import Tracking
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.qos import POSES_OUT
from dens3r_ros.nodes.outputs.server_report import ServerLog, figures_of, trouble_of
from dens3r_ros.nodes.session import NodeSession
from dens3r_ros.nodes.status_message import status_message


class Reporting:
    """Tells once a second how the session stands."""

    def __init__(self, node: Node, session: NodeSession) -> None:
        self._node, self._session = node, session
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", POSES_OUT)
        self._complaint: str | None = None
        self._server = ServerLog(node.get_logger())
        self._status = None
        if interfaces.messages is not None:
            self._status = node.create_publisher(interfaces.messages.Status, "~/status", POSES_OUT)

    def publish(self) -> None:
        """Send both, and log cameras that fell silent or came back."""
        session = self._session
        self._warn_of_namesake()
        self._warn_of_transforms()
        self._server.note(session.engine)
        # A player that knows the queue, as the bag stepper does, is silent while it is full.
        queued = session.config.input.policy == "every" and session.waiting()
        if session.intake is not None and not queued:
            for sentence in session.intake.watch():
                self._node.get_logger().warning(sentence)
        if self._status is not None:
            self._status.publish(status_message(self._node, session))
        array = DiagnosticArray(status=[self._diagnostic()])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def destroy(self) -> None:
        """Withdraw the topics."""
        self._node.destroy_publisher(self._diagnostics)
        if self._status is not None:
            self._node.destroy_publisher(self._status)

    def _warn_of_namesake(self) -> None:
        name = self._node.get_fully_qualified_name()
        known = self._node.get_node_names_and_namespaces()
        if [f"{space.rstrip('/')}/{own}" for own, space in known].count(name) > 1:
            self._node.get_logger().warning(
                f"another node is called {name} too, or was until it was killed: topics of both "
                "mix, and services reach either; start one with -r __node:=ANOTHER_NAME",
                once=True,
            )

    def _warn_of_transforms(self) -> None:
        before, self._complaint = self._complaint, self._session.complaint()
        if self._complaint is not None and self._complaint != before:
            self._node.get_logger().warning(self._complaint)

    def _diagnostic(self) -> DiagnosticStatus:
        level, text = self._level()
        status = DiagnosticStatus(level=level, message=text)
        status.name = f"{self._node.get_fully_qualified_name()}: dense geometry"
        status.hardware_id = self._session.engine.info.device
        status.values = [KeyValue(key=k, value=v) for k, v in self._values().items()]
        return status

    def _level(self) -> tuple[bytes, str]:
        session = self._session
        if session.faults.text:
            return DiagnosticStatus.ERROR, session.faults.text
        if session.intake is None:
            return DiagnosticStatus.OK, "inactive"
        stalled = [s.topic for s in session.intake.cameras.values() if s.stalled]
        if stalled:
            return DiagnosticStatus.ERROR, "no images on " + ", ".join(stalled)
        if trouble := trouble_of(session.engine):
            return DiagnosticStatus.WARN, trouble
        if session.update is None:
            return DiagnosticStatus.WARN, "no image processed yet"
        if session.missing_transform is not None:
            return DiagnosticStatus.WARN, f"odometry and TF pause: {session.missing_transform}"
        if self._complaint is not None:
            return DiagnosticStatus.WARN, self._complaint
        if session.update.state is Tracking.TRACKING:
            return self._level_while_tracking(session.update.metric)
        return (
            DiagnosticStatus.WARN,
            ": ".join(filter(None, (session.update.state.value, session.update.reason))),
        )

    def _level_while_tracking(self, metric: bool) -> tuple[bytes, str]:
        inertial = self._session.scale.gyroscope
        if inertial is not None and inertial.fault:
            return DiagnosticStatus.WARN, f"tracking; imu left out: {inertial.fault}"
        if inertial is not None and inertial.notice:
            return DiagnosticStatus.WARN, f"tracking; imu: {inertial.notice}"
        if metric:
            return DiagnosticStatus.OK, "tracking"
        required, metres = self._session.config.output.require_metric, self._session.metres
        if required:
            return DiagnosticStatus.WARN, f"{metres.lack(required)}: {metres.missing()}"
        return DiagnosticStatus.OK, f"tracking; {metres.lack(required)}"

    def _values(self) -> dict[str, str]:
        session, counts = self._session, self._session.counts.now()
        values = {
            "engine": session.engine.info.name,
            "model": session.engine.info.model,
            "images received": str(counts.received),
            "images processed": str(counts.processed),
            "images waiting": str(session.waiting()),
            "frames per second": f"{session.rate.per_second(time.monotonic()):.2f}",
            "decodings per second": f"{session.decodings.per_second(time.monotonic()):.2f}",
        }
        if session.dense.skipped:
            values["dense maps skipped"] = str(session.dense.skipped)
        if session.update is not None:
            metric = session.update.metric
            values["lengths"] = "metres" if metric else f"not metres: {session.metres.missing()}"
        if session.scale.active:
            values["scale"] = session.scale.progress()
        values |= figures_of(session.engine)
        values |= {f"dropped: {k}": str(v) for k, v in counts.dropped.items()}
        for stage, (median, p95) in session.durations.percentiles().items():
            values[f"{stage} ms p50 / p95"] = f"{median:.1f} / {p95:.1f}"
        return values
