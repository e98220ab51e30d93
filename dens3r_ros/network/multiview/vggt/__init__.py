# SPDX-License-Identifier: Apache-2.0
"""VGGT: its network, and the names in its published files."""
