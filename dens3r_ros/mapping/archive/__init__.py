# SPDX-License-Identifier: Apache-2.0
"""Keyframes that left the window, kept small."""
