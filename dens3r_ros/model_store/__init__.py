# SPDX-License-Identifier: Apache-2.0
"""Weights by name: what there is, where it lies, and how it gets here."""
