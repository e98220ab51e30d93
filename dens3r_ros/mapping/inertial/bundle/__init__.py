# SPDX-License-Identifier: Apache-2.0
"""Corners, poses and what was felt, adjusted together: metres to better than a keyframe's depth."""
