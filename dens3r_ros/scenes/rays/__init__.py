# SPDX-License-Identifier: Apache-2.0
"""Shapes and light: rays, hits, shading, pictures."""
