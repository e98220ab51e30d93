# SPDX-License-Identifier: Apache-2.0
"""Bags read and stepped through the node."""
