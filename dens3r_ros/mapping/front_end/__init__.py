# SPDX-License-Identifier: Apache-2.0
"""Placing every frame at the rate of its camera, decoded or not."""
