# SPDX-License-Identifier: Apache-2.0
"""Engines on pairs of images."""
