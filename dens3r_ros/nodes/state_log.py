# SPDX-License-Identifier: Apache-2.0
"""What changes from one update to the next, in the log."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger

from dens3r_ros.mapping.update import Tracking, Update


def log_changes(
    logger: RcutilsLogger, before: Update | None, update: Update, why_epoch: str
) -> None:
    """Another state, another epoch, and what the solver has to say."""
    if before is None or before.state is not update.state:
        _log_state(logger, update)
    if update.epoch != (0 if before is None else before.epoch):
        logger.info(f"epoch {update.epoch} begins: {why_epoch}")
    if update.notice:
        logger.warning(update.notice)


def _log_state(logger: RcutilsLogger, update: Update) -> None:
    text = f"{update.state.value}: {update.reason}" if update.reason else update.state.value
    if update.state is Tracking.LOST:
        logger.warning(text)
    else:
        logger.info(text)
