# SPDX-License-Identifier: Apache-2.0
"""What moves, from how a pairwise network looks from one image at another."""
