# SPDX-License-Identifier: Apache-2.0
"""What surfaces and pictures look like: materials, patterns, lenses."""
