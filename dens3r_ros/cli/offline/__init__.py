# SPDX-License-Identifier: Apache-2.0
"""Commands that make models of what was recorded, and show them."""
