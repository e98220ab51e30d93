# SPDX-License-Identifier: Apache-2.0
"""Two photos that hardly overlap, joined by clips that were made of the way between them."""
