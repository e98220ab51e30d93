# SPDX-License-Identifier: Apache-2.0
"""From what cameras and the robot publish to frames and metres."""
