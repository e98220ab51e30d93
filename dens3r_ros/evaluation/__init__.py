# SPDX-License-Identifier: Apache-2.0
"""Measuring: engines on pairs, the mapper on sequences, both against the truth."""
