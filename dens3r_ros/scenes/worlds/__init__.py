# SPDX-License-Identifier: Apache-2.0
"""Rooms, buildings, streets and hills, drawn by chance."""
