# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves against the truth, and the mapper with and without them."""
