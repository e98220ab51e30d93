# SPDX-License-Identifier: Apache-2.0
"""Live dense geometry from plain cameras, for ROS 2."""
