# SPDX-License-Identifier: Apache-2.0
"""MoGe: points of one image, up to a shift in depth, which its field of view gives away."""
