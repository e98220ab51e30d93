# SPDX-License-Identifier: Apache-2.0
"""One pointmap of a keyframe out of what many pairs say of it."""
