# SPDX-License-Identifier: Apache-2.0
"""Gaussian splats: made from posed views, drawn, optimised, and written for other programs."""
