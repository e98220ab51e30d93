# SPDX-License-Identifier: Apache-2.0
"""A scene as files that other programs open."""
