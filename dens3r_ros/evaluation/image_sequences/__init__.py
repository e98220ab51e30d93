# SPDX-License-Identifier: Apache-2.0
"""Mappers on sequences of images."""
