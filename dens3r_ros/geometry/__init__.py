# SPDX-License-Identifier: Apache-2.0
"""Cameras, similarity transforms, pointmaps and matching: pure functions on tensors."""
