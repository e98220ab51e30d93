# SPDX-License-Identifier: Apache-2.0
"""How far something is from the truth."""
