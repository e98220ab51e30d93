# SPDX-License-Identifier: Apache-2.0
"""Splats and clouds as images."""
