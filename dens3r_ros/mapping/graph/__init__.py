# SPDX-License-Identifier: Apache-2.0
"""The pose graph of all keyframes and its solver."""
