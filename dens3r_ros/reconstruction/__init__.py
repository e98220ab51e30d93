# SPDX-License-Identifier: Apache-2.0
"""A set of images to cameras and points, offline."""
