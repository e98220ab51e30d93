# SPDX-License-Identifier: Apache-2.0
"""A floor plan to drive on, drawn from keyframes."""
