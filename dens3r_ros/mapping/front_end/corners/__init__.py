# SPDX-License-Identifier: Apache-2.0
"""Corners followed from image to image, of which no decoding has told anything yet."""
