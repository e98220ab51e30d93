# SPDX-License-Identifier: Apache-2.0
"""What an inertial sensor adds: metres, gravity, and how the camera turned between frames."""
