# SPDX-License-Identifier: Apache-2.0
"""Cameras and points of many photos from what pairs of them measured, with work that grows with the
number of pairs."""
