# SPDX-License-Identifier: Apache-2.0
"""Networks made of pairwise ones: relative poses, memory, many views, splats, moving things."""
