# SPDX-License-Identifier: Apache-2.0
"""Pairs in less time than they would take, where somebody cannot wait."""
