# SPDX-License-Identifier: Apache-2.0
"""Engines of networks that were made of the pairwise ones: Spann3R, MV-DUSt3R."""
