# SPDX-License-Identifier: Apache-2.0
"""Splats as bytes, one module for each kind of file."""
