# SPDX-License-Identifier: Apache-2.0
"""Engines that know the truth, with noise as asked for."""
