# SPDX-License-Identifier: Apache-2.0
"""Pieces of a map that nothing ties together yet, and how a lost camera begins one."""
