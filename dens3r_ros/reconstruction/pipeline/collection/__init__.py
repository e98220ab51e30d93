# SPDX-License-Identifier: Apache-2.0
"""Photos in any order: from their groups to maps."""
