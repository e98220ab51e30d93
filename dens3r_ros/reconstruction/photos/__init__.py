# SPDX-License-Identifier: Apache-2.0
"""Photos in any order: which of them are compared, what the comparison says, and their depth."""
