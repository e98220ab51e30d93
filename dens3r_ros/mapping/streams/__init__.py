# SPDX-License-Identifier: Apache-2.0
"""One camera from frame to frame: what is remembered of it, and its place in `odom`."""
