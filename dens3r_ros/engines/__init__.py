# SPDX-License-Identifier: Apache-2.0
"""Ways to turn pairs of frames into geometry."""
