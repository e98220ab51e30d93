# SPDX-License-Identifier: Apache-2.0
"""Places seen before: found by looks, proven by geometry."""
