# SPDX-License-Identifier: Apache-2.0
"""What this package computes beside what published code computed from the same numbers."""
