# SPDX-License-Identifier: Apache-2.0
"""The pose of a frame against a keyframe, and what a keyframe is."""
