# SPDX-License-Identifier: Apache-2.0
"""What the node itself costs, beside network and mapping."""
