# SPDX-License-Identifier: Apache-2.0
"""Training networks of the family on rendered pairs: losses, recipe, trainer."""
