# SPDX-License-Identifier: Apache-2.0
"""Splats that come to look like images."""
