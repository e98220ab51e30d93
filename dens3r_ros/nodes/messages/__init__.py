# SPDX-License-Identifier: Apache-2.0
"""Arrays and poses to messages and back; TF; which interfaces there are."""
